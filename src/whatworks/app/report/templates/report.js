"use strict";
(() => {
  // Everything shown here was written by a model or a user: text nodes only, never markup.
  const { arms, items, texts } = JSON.parse(document.getElementById("data").textContent);
  const form = document.querySelector(".filters");
  if (!form) return;
  const place = document.querySelector(".examples");
  const more = document.querySelector(".more");
  const count = form.querySelector("output");
  const STEP = 12;

  // An arm is right where most of its seeds are.
  const isRight = (answers) => {
    let right = 0, all = 0;
    for (const [seeds, kind] of answers) {
      all += seeds.length;
      if (texts[kind] === "correct") right += seeds.length;
    }
    return all > 0 && 2 * right > all;
  };
  const index = items.map((item) => ({
    item,
    right: item.answers.map(isRight),
    asked: item.answers.map((answers) => answers.length > 0),
    text: [item.id, item.input, item.target, ...item.answers.flat().map((a) => a[3])]
      .map((n) => texts[n]).join("\n").toLowerCase(),
  }));

  const add = (parent, tag, css, text, found) => {
    const node = parent.appendChild(document.createElement(tag));
    if (css) node.className = css;
    if (text === undefined) return node;
    const at = found ? text.toLowerCase().indexOf(found) : -1;
    if (at < 0) {
      node.textContent = text;
    } else {
      node.append(text.slice(0, at));
      add(node, "mark", "", text.slice(at, at + found.length));
      node.append(text.slice(at + found.length));
    }
    return node;
  };

  const show = ({ item }, found) => {
    const card = add(place, "article", "example");
    const asked = add(card, "p", "asked", texts[item.input], found);
    add(card, "p", "target", "wanted: " + texts[item.target], found);
    asked.append(" ");
    add(asked, "span", "id", texts[item.id], found);
    item.answers.forEach((answers, i) => {
      for (const [seeds, kindText, value, output, feedback, reasoning] of answers) {
        const kind = texts[kindText];
        const right = kind === "correct";
        const css = right ? "right" : kind === "content only" ? "content" : "wrong";
        const line = add(card, "div", "answer " + css);
        const signs = { right: "✓", content: "◐", wrong: kind === "abstained" ? "–" : "✗" };
        const sign = add(line, "span", "sign", signs[css]);
        sign.setAttribute("role", "img");
        sign.setAttribute("aria-label", kind);
        const several = answers.length > 1;
        add(line, "span", "who", arms[i] + (several ? " · seed " + seeds.join(", ") : ""));
        if (texts[reasoning]) add(line, "span", "why", "reasoned: " + texts[reasoning] + " → ", found);
        add(line, "span", "text", texts[output] || "(nothing)", found);
        const partly = value > 0 && value < 1 ? " " + Math.round(100 * value) + "%" : "";
        const why = texts[feedback];
        add(line, "span", "why", right ? "" : kind + partly + (why ? ": " + why : ""));
      }
    });
  };

  let hits = [], shown = 0, found = "";
  const extend = (n) => {
    for (const entry of hits.slice(shown, shown + n)) show(entry, found);
    shown = Math.min(hits.length, shown + n);
    more.hidden = shown >= hits.length;
  };
  const update = () => {
    const filter = form.filter.value;
    const a = Number(form.right.value), b = Number(form.wrong.value);
    form.querySelector(".versus").hidden = filter !== "versus";
    found = form.search.value.trim().toLowerCase();
    const keep = {
      all: () => true,
      differ: ({ right, asked }) => new Set(right.filter((_, i) => asked[i])).size > 1,
      none: ({ right }) => !right.includes(true),
      versus: ({ right, asked }) => right[a] && asked[b] && !right[b],
    }[filter];
    hits = index.filter((entry) => keep(entry) && (!found || entry.text.includes(found)));
    count.textContent = hits.length + (hits.length === 1 ? " example" : " examples");
    place.replaceChildren();
    shown = 0;
    extend(STEP);
  };

  for (const select of [form.right, form.wrong]) {
    arms.forEach((arm, i) => { add(select, "option", "", arm).value = i; });
  }
  form.right.value = arms.length - 1;
  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => extend(STEP));
  update();

  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
