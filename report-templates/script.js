"use strict";
// Opens what a link leads to, and all but the longest lists when the page is printed. The report reads well without it.
const open = (root) => root.querySelectorAll("details").forEach((details) => { details.open = true; });
const reveal = () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target.classList.contains("cited")) open(target);
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
addEventListener("DOMContentLoaded", reveal);
addEventListener("beforeprint", () => document.querySelectorAll("section:not(#evidence):not(#paths)").forEach(open));
document.querySelectorAll(".tools").forEach((tools) => { tools.hidden = false; });
for (const [name, state] of [["expand", true], ["collapse", false]]) {
  document.querySelectorAll(`[data-${name}]`).forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll(`#${button.dataset[name]} details.control`).forEach((details) => { details.open = state; });
  }));
}
const contents = document.querySelector(".contents details");
if (contents && matchMedia("(max-width: 75rem)").matches) contents.open = false;
