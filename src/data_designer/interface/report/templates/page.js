"use strict";
(() => {
  const root = document.documentElement;
  const KEY = "data-designer-report-theme";
  const remembered = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  };
  apply(remembered());

  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  const switchTheme = (button) => {
    const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.hidden = false;
    label();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
    button.addEventListener("click", () => {
      const theme = dark() ? "light" : "dark";
      apply(theme);
      label();
      try { localStorage.setItem(KEY, theme); } catch { /* It is forgotten with the page. */ }
    });
  };

  const browse = (browser) => {
    const records = [...browser.querySelectorAll(".record")];
    const bar = browser.querySelector(".browse");
    const now = browser.querySelector("#now");
    const buttons = [...bar.querySelectorAll("button")];
    let place = 0;
    const show = (wanted) => {
      place = Math.min(Math.max(wanted, 0), records.length - 1);
      records.forEach((record, index) => { record.hidden = index !== place; });
      now.textContent = place + 1;
      buttons[0].setAttribute("aria-disabled", place === 0);
      buttons[1].setAttribute("aria-disabled", place === records.length - 1);
    };
    buttons.forEach((button) => {
      button.addEventListener("click", () => show(place + Number(button.dataset.step)));
    });
    const inView = () => {
      const box = browser.getBoundingClientRect();
      return box.top < innerHeight && box.bottom > 0;
    };
    document.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const active = document.activeElement;
      if (!browser.contains(active) && !(active === document.body && inView())) return;
      event.preventDefault();
      show(place + step);
    });
    bar.hidden = records.length < 2;
    show(0);
    addEventListener("beforeprint", () => records.forEach((record, index) => { record.hidden = index > 4; }));
    addEventListener("afterprint", () => show(place));
  };

  const follow = (links) => {
    const current = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
        links.forEach((link) => {
          if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        });
      }),
      { rootMargin: "-20% 0px -70% 0px" },
    );
    document.querySelectorAll("main > section").forEach((section) => current.observe(section));
  };

  const openToPrint = () => {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("#configuration details:not([open])")];
      opened.forEach((one) => { one.open = true; });
    });
    addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
  };

  document.addEventListener("DOMContentLoaded", () => {
    switchTheme(document.querySelector("#theme"));
    const browser = document.querySelector("#browser");
    if (browser) browse(browser);
    follow([...document.querySelectorAll("nav a")]);
    openToPrint();
  });
})();
