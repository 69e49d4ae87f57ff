// Buttons that show the claims of one verdict, or of one part of the post. Without this script all cards are there.
(() => {
  const bar = document.querySelector(".claim-filters");
  const cards = [...document.querySelectorAll(".admonition.claim[class*='part-']")];
  if (!bar || !cards.length) return;

  const kinds = { verdict: "Verdict", part: "Part of the post" };
  const order = ["holds", "part", "fails", "untestable", "undecided"];
  const value = (card, kind) =>
    [...card.classList].find(name => name.startsWith(`${kind}-`)).slice(kind.length + 1);
  const words = {
    verdict: value => cards.find(card => card.classList.contains(`verdict-${value}`)).querySelector("strong").textContent,
    part: value => value[0].toUpperCase() + value.slice(1).replaceAll("-", " "),
  };
  const chosen = { verdict: "", part: "" };
  const status = document.createElement("p");
  status.setAttribute("role", "status");

  const buttons = Object.entries(kinds).flatMap(([kind, title]) => {
    const values = [...new Set(cards.map(card => value(card, kind)))];
    if (kind === "verdict") values.sort((a, b) => order.indexOf(a) - order.indexOf(b));
    const group = document.createElement("div");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", title);
    const made = ["", ...values].map(each => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = each ? words[kind](each) : "All";
      button.addEventListener("click", () => { chosen[kind] = each; show(); });
      group.append(button);
      return { button, kind, each };
    });
    const name = document.createElement("span");
    name.setAttribute("aria-hidden", "true");
    name.textContent = title;
    group.prepend(name);
    bar.append(group);
    return made;
  });
  bar.append(status);

  function show() {
    const fits = card => Object.keys(kinds).every(kind => !chosen[kind] || value(card, kind) === chosen[kind]);
    for (const card of cards) card.hidden = !fits(card);
    for (const { button, kind, each } of buttons) button.setAttribute("aria-pressed", chosen[kind] === each);
    for (const section of new Set(cards.map(card => card.closest("section")))) {
      section.hidden = !section.contains(bar) && ![...section.querySelectorAll(".claim")].some(card => !card.hidden);
    }
    const n = cards.filter(card => !card.hidden).length;
    status.textContent = `${n === cards.length ? "All" : `${n} of`} ${cards.length} claims are shown.`;
  }

  // A link to a card that is filtered away shows all of them
  function arrive() {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!card || card.checkVisibility()) return;
    if (card.closest("[hidden]")) {
      chosen.verdict = chosen.part = "";
      show();
      card.scrollIntoView();
    }
  }
  addEventListener("hashchange", arrive);
  show();
})();
