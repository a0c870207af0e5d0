"use strict";
// Opens what a link leads to, searches the findings, and opens all but the longest lists when the page is printed.
// The report reads well without it.
document.documentElement.classList.add("scripted");
const open = (root) => root.querySelectorAll("details").forEach((details) => { details.open = true; });
const reveal = () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  if (!target) return;
  if (target.hidden || target.closest("[hidden]")) finder?.clear();
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target.classList.contains("cited")) open(target);
  target.scrollIntoView();
};

// Findings by words, area and verdict. The address says what was asked for: #find?text=vendor&verdict=red-flag
const finder = (() => {
  const form = document.querySelector(".finder");
  if (!form) return null;
  const text = form.querySelector("[type=search]");
  const area = form.querySelector("select");
  const verdicts = Array.from(form.querySelectorAll("[name=verdict]"));
  const found = form.querySelector(".found");
  let entries = null;

  // Read once, when it is first needed: the page is usable before.
  const read = () => {
    entries ??= Array.from(document.querySelectorAll("#readiness details.control"), (control) => {
      const name = control.querySelector("summary").textContent.toLowerCase();
      const findings = Array.from(control.querySelectorAll(".finding, .settled > li"), (element) => ({
        element, verdict: element.dataset.verdict, text: element.textContent.toLowerCase(),
      }));
      return { control, name, findings, block: control.closest(".area"), opened: control.open };
    });
    return entries;
  };

  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(verdicts.filter((box) => box.checked).map((box) => box.value));
    const all = words.length === 0 && area.value === "" && wanted.size === verdicts.length;
    let [shown, total] = [0, 0];
    const blocks = new Map();
    for (const { control, name, findings, block, opened } of read()) {
      const here = area.value === "" || block.dataset.area === area.value;
      const rest = words.filter((word) => !name.includes(word));
      let some = findings.length === 0 && here && rest.length === 0 && all;
      let settled = false;
      for (const { element, verdict, text } of findings) {
        const fits = here && wanted.has(verdict) && rest.every((word) => text.includes(word));
        element.hidden = !fits;
        some ||= fits;
        settled ||= fits && element.tagName === "LI";
        total += 1;
        shown += fits ? 1 : 0;
      }
      control.hidden = !some;
      control.open = all ? opened : some && words.length > 0 ? true : control.open;
      const list = control.querySelector("details.rest");
      if (list) list.open = !all && words.length > 0 && settled;
      blocks.set(block, blocks.get(block) || some);
    }
    for (const [block, some] of blocks) block.hidden = !some;
    found.textContent = all ? `${total} findings` : `${shown} of ${total} findings`;
    return all;
  };

  const remember = () => {
    if (apply()) {
      if (location.hash.startsWith("#find?")) history.replaceState(null, "", "#readiness");
      return;
    }
    const asked = new URLSearchParams();
    if (text.value) asked.set("text", text.value);
    if (area.value) asked.set("area", area.value);
    const wanted = verdicts.filter((box) => box.checked).map((box) => box.value);
    if (wanted.length < verdicts.length) asked.set("verdict", wanted.join(","));
    history.replaceState(null, "", `#find?${asked}`);
  };

  const recall = () => {
    if (!location.hash.startsWith("#find?")) return;
    const asked = new URLSearchParams(location.hash.slice("#find?".length));
    text.value = asked.get("text") ?? "";
    area.value = asked.get("area") ?? "";
    const wanted = asked.has("verdict") ? new Set(asked.get("verdict").split(",")) : null;
    for (const box of verdicts) box.checked = wanted === null || wanted.has(box.value);
    apply();
    form.scrollIntoView();
  };

  let timer = 0;
  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); remember(); });
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(remember, 120); });
  form.addEventListener("change", (event) => { if (event.target !== text) remember(); });
  form.addEventListener("reset", () => setTimeout(remember));
  return { recall, clear: () => { form.reset(); apply(); } };
})();

addEventListener("hashchange", () => { finder?.recall(); reveal(); });
addEventListener("DOMContentLoaded", () => { finder?.recall(); reveal(); });
addEventListener("beforeprint", () => document.querySelectorAll("section:not(#evidence):not(#paths)").forEach(open));
document.querySelectorAll(".tools").forEach((tools) => { tools.hidden = false; });
for (const [name, state] of [["expand", true], ["collapse", false]]) {
  document.querySelectorAll(`[data-${name}]`).forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll(`#${button.dataset[name]} details.control`).forEach((details) => { details.open = state; });
  }));
}
const contents = document.querySelector(".contents details");
if (contents && matchMedia("(max-width: 75rem)").matches) contents.open = false;
