// What a link means, beside it: the definition of a term, the work cited, the formula referred to. It comes with a
// pointer that rests on the link and with the keyboard's focus, and goes with them or by Escape. A finger follows the
// link. The words are the link's title, which a screen reader says by itself: what is shown here is for the eye.
(() => {
  const LINKS = ".bd-article :is(a.term, .bibtex-citation a, a.reference[href^='#equation-'])";
  const WAIT = 200; // ms for which a pointer may be on its way
  let tip, link, timer;

  function content(of) {
    if (of.title || of.dataset.title) return document.createTextNode(of.title || of.dataset.title);
    const formula = document.getElementById(decodeURIComponent(of.hash.slice(1)))?.querySelector("mjx-container");
    return formula?.cloneNode(true);
  }

  function place() {
    const at = link.getClientRects()[0], room = document.documentElement.clientWidth, gap = 8;
    const own = tip.getBoundingClientRect();
    const left = Math.max(gap, Math.min(at.left, room - own.width - gap));
    const above = at.bottom + own.height + gap > innerHeight && at.top > own.height + gap;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above ? at.top - own.height - 4 : at.bottom + 4) + scrollY}px`;
  }

  function show(of) {
    clearTimeout(timer);
    const what = content(of);
    if (!what || of === link) return;
    hide();
    link = of;
    tip ??= make();
    tip.replaceChildren(what);
    tip.hidden = false;
    place();
  }

  function hide() {
    clearTimeout(timer);
    if (!link) return;
    keep(link, false);
    tip.hidden = true;
    link = undefined;
  }

  // While a pointer is on a link, its title is put aside: the browser would show it as well.
  function keep(of, aside) {
    if (aside && of.title) {
      of.dataset.title = of.title;
      of.removeAttribute("title");
    } else if (!aside && of.dataset.title) {
      of.title = of.dataset.title;
      delete of.dataset.title;
    }
  }

  function make() {
    const node = document.createElement("div");
    node.className = "definition";
    node.setAttribute("aria-hidden", "true");
    node.addEventListener("pointerenter", () => clearTimeout(timer));
    node.addEventListener("pointerleave", later);
    document.body.append(node);
    return node;
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(hide, WAIT);
  }

  for (const each of document.querySelectorAll(LINKS)) {
    each.addEventListener("pointerenter", event => {
      if (event.pointerType === "touch") return;
      keep(each, true);
      clearTimeout(timer);
      timer = setTimeout(() => show(each), WAIT / 2);
    });
    each.addEventListener("pointerleave", () => {
      if (each !== link) keep(each, false);
      later();
    });
    each.addEventListener("focus", () => {
      if (!each.matches(":focus-visible")) return;
      show(each);
      each.scrollIntoView({block: "nearest"});  // by itself a link on two lines may stay below the window
    });
    each.addEventListener("blur", hide);
  }
  addEventListener("keydown", event => event.key === "Escape" && hide());
  addEventListener("resize", hide);
  addEventListener("scroll", () => link && place(), {passive: true});  // as a focus that was out of sight makes it
})();
