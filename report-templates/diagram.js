// The boundary diagram: shows layers, what one principal or topic is part of, and paths that the page points at.
(() => {
  const picture = document.querySelector(".boundary-diagram");
  const form = document.querySelector(".controls");
  if (!picture || !form) return;
  const status = document.querySelector(".shown");
  const boxes = new Map(Array.from(picture.querySelectorAll("[data-box]"), (box) => [box.dataset.box, box]));
  const lines = Array.from(picture.querySelectorAll("[data-hop]"), (element) => {
    const [from, to] = element.dataset.hop.split("-");
    return { element, hop: element.dataset.hop, from, to, layers: element.dataset.layers.split(" ") };
  });
  const title = (element) => element.querySelector("title")?.textContent ?? "";
  // What is looked at: steps as "from-to", and boxes; or null for the whole picture.
  let focus = null;

  const trails = () => Array.from(document.querySelectorAll(".path[data-show]"), (path) => path.dataset.show.split(" "));
  const ends = (hops) => new Set(hops.flatMap((hop) => hop.split("-")));

  // "3-9 9-12 7": steps, and boxes that stand alone.
  const parse = (show) => {
    const parts = show.split(" ").filter(Boolean);
    const steps = new Set(parts.filter((part) => part.includes("-")));
    const named = ends(parts);
    if (steps.size === 0) {
      for (const line of lines) if (named.has(line.from) && named.has(line.to)) steps.add(line.hop);
    }
    return { steps, boxes: named };
  };

  // Everything one box is part of: its own lines, and the whole of the paths that begin or end there.
  const around = (number, end) => {
    const steps = new Set();
    for (const line of lines) if (line[end] === number) steps.add(line.hop);
    for (const hops of trails()) {
      const meets = hops.some((hop) => hop.split("-")[end === "from" ? 0 : 1] === number);
      if (meets) hops.forEach((hop) => steps.add(hop));
    }
    return { steps, boxes: new Set([number, ...ends([...steps])]) };
  };

  const both = (a, b) => {
    const steps = new Set([...a.steps].filter((step) => b.steps.has(step)));
    return { steps, boxes: ends([...steps]) };
  };

  const say = (shown) => {
    status.replaceChildren();
    if (!focus) return;
    const told = new Map();
    for (const line of shown) if (line.element.classList.contains("line")) told.set(line.hop, title(line.element));
    const summary = document.createElement("p");
    summary.textContent = `Shown: ${focus.boxes.size} ${focus.boxes.size === 1 ? "box" : "boxes"} and ${told.size} ${told.size === 1 ? "line" : "lines"}.`;
    const list = document.createElement("ul");
    for (const text of [...told.values()].slice(0, 12)) {
      const item = document.createElement("li");
      item.textContent = text;
      list.append(item);
    }
    if (told.size > 12) {
      const item = document.createElement("li");
      item.textContent = `and ${told.size - 12} more`;
      list.append(item);
    }
    status.append(summary, list);
  };

  const draw = () => {
    const layers = new Set(Array.from(form.querySelectorAll("[name=layer]:checked"), (box) => box.value));
    picture.classList.toggle("fit", form.querySelector("[name=fit]").checked);
    picture.classList.toggle("inside", form.querySelector("[name=inside]").checked);
    picture.classList.toggle("focused", focus !== null);
    const shown = [];
    for (const line of lines) {
      const off = !line.layers.some((layer) => layers.has(layer));
      const on = !off && focus !== null && focus.steps.has(line.hop);
      line.element.classList.toggle("off", off);
      line.element.classList.toggle("on", on);
      if (on) shown.push(line);
    }
    for (const [number, box] of boxes) box.classList.toggle("on", focus !== null && focus.boxes.has(number));
    say(shown);
  };

  const choose = () => {
    const chosen = Array.from(form.querySelectorAll("[data-choose]"))
      .filter((select) => select.value !== "")
      .map((select) => around(select.value, select.dataset.choose));
    focus = chosen.length === 0 ? null : chosen.reduce(both);
    draw();
  };

  // Shows what an element of the page points at, and brings it into view.
  const point = (element) => {
    form.reset();
    focus = parse(element.dataset.show);
    draw();
    (document.getElementById("diagram") ?? form).scrollIntoView();
    const first = [...focus.boxes].map((number) => boxes.get(number)).find(Boolean);
    const frame = picture.parentElement;
    if (first && frame.scrollWidth > frame.clientWidth) {
      frame.scrollLeft += first.getBoundingClientRect().left - frame.getBoundingClientRect().left - 40;
    }
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose]")) choose();
    else draw();
  });
  form.addEventListener("reset", () => {
    focus = null;
    setTimeout(draw);
  });
  picture.addEventListener("click", (event) => {
    const box = event.target.closest("[data-box]");
    if (!box || !box.classList.contains("node")) return;
    const [out, into] = [around(box.dataset.box, "from"), around(box.dataset.box, "to")];
    focus = { steps: new Set([...out.steps, ...into.steps]), boxes: new Set([...out.boxes, ...into.boxes]) };
    draw();
  });
  // A link to #show-NAME is a link to the picture with what NAME points at.
  const follow = () => {
    const name = /^#show-(.+)$/.exec(decodeURIComponent(location.hash));
    const element = name && document.getElementById(name[1]);
    const target = element && (element.dataset.show ? element : element.querySelector("[data-show]"));
    if (target) point(target);
  };
  addEventListener("hashchange", follow);
  addEventListener("DOMContentLoaded", follow);
})();
