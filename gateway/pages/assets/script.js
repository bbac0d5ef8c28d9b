// Shows times in the reader's time zone, and lets the reader show the passphrase. Pages
// work without it. It never sends a form: mail scanners run scripts.
"use strict";

(() => {
  const root = document.documentElement;
  // Arabic pages use the digits of the other languages, as the server does.
  const locale = root.lang + "-u-nu-latn";
  const absolute = new Intl.DateTimeFormat(locale, {
    year: "numeric", month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

  // The page may stay open for hours, so the relative times are written again.
  const fromNow = (time) => {
    const minutes = Math.trunc((time - Date.now()) / 60000);
    if (Math.abs(minutes) < 60) return relative.format(minutes, "minute");
    if (Math.abs(minutes) < 48 * 60) return relative.format(Math.trunc(minutes / 60), "hour");
    return relative.format(Math.trunc(minutes / 1440), "day");
  };

  for (const element of document.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    element.textContent = root.dataset.localTime.replace("{time}", () => absolute.format(time));
    const beside = element.nextElementSibling;
    if (beside && beside.className === "relative") {
      setInterval(() => { beside.textContent = fromNow(time); }, 30000);
    }
  }

  const field = document.querySelector("input[data-show]");
  if (field) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    label.className = "switch";
    box.type = "checkbox";
    box.autocomplete = "off";
    box.addEventListener("change", () => { field.type = box.checked ? "text" : "password"; });
    label.append(box, field.dataset.show);
    field.after(label);
    // The browser must not keep the passphrase as the text of an ordinary field.
    field.form.addEventListener("submit", () => {
      box.checked = false;
      field.type = "password";
      // A download leaves this page open. The refusal of an earlier passphrase would stay.
      document.querySelector("#wrong")?.remove();
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    });
  }
})();
