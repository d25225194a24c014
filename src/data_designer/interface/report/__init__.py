"""The report of a dataset: one HTML file that needs no network, made from its receipts, accounts and first file."""

from data_designer.interface.report.writing import report_html as report_html
from data_designer.interface.report.writing import write_report as write_report
