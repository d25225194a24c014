"""Languages of code columns and validators."""

from enum import StrEnum


class CodeLang(StrEnum):
    """A programming language, or a dialect of SQL as `sql:<dialect>`.

    Only `python` and the dialects of SQL can be validated.
    """

    BASH = "bash"
    C = "c"
    COBOL = "cobol"
    CPP = "cpp"
    CSHARP = "csharp"
    GO = "go"
    JAVA = "java"
    JAVASCRIPT = "javascript"
    KOTLIN = "kotlin"
    PYTHON = "python"
    RUBY = "ruby"
    RUST = "rust"
    SCALA = "scala"
    SWIFT = "swift"
    TYPESCRIPT = "typescript"
    SQL_SQLITE = "sql:sqlite"
    SQL_TSQL = "sql:tsql"
    SQL_BIGQUERY = "sql:bigquery"
    SQL_MYSQL = "sql:mysql"
    SQL_POSTGRES = "sql:postgres"
    SQL_ANSI = "sql:ansi"

    @staticmethod
    def parse(value: "str | CodeLang") -> tuple[str, str | None]:
        """Language and dialect (None where there is none)."""
        language, _, dialect = str(value.value if isinstance(value, CodeLang) else value).partition(":")
        return language, dialect or None

    @staticmethod
    def parse_lang(value: "str | CodeLang") -> str:
        """The language without its dialect."""
        return CodeLang.parse(value)[0]

    @staticmethod
    def parse_dialect(value: "str | CodeLang") -> str | None:
        """The dialect, where there is one."""
        return CodeLang.parse(value)[1]

    @staticmethod
    def supported_values() -> set[str]:
        """Every value there is."""
        return {member.value for member in CodeLang}
