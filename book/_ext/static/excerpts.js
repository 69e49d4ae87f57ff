/* What the search shows of a page. Sphinx takes all of <main>, with the theme's buttons, the list of sections and what is
   folded, in it; and it may look for a place by a name that is no selector. */
"use strict";

const GREEK = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau "
  + "upsilon phi chi psi omega").split(" ");
const plain = tex => tex.replace(/\\[()[\]]/g, "").replace(/\\([a-zA-Z]+) ?/g, (_, name) =>
  GREEK.includes(name) ? String.fromCharCode(945 + GREEK.indexOf(name)) : name.length > 3 ? "" : `${name} `)
  .replace(/\\.|[{}]/g, "");

Search.htmlToText = (page, anchor) => {
  const read = new DOMParser().parseFromString(page, "text/html");
  const place = anchor && read.getElementById(decodeURIComponent(anchor.slice(1)));
  const text = place || read.querySelector("main article");
  if (!text) return "";
  const around = "script, style, noscript, template, button, input, select, .headerlink, .cell_input, .live, .bk-root, " +
    "details.hide, .provenance, .tag_provenance, .eqno, [id^=interactive-], [id^=film-], [id^=field-film-]";
  text.querySelectorAll(around).forEach(node => node.remove());
  text.querySelectorAll(".math").forEach(node => node.replaceWith(plain(node.textContent)));
  text.querySelectorAll("p, li, dt, dd, td, th, h1, h2, h3, h4, figcaption").forEach(node => node.append(" "));
  return text.textContent.replace(/\s+/g, " ").trim();
};

Search.makeSearchSummary = (page, words, anchor) => {
  const text = Search.htmlToText(page, anchor), small = text.toLowerCase();
  if (!text) return null;
  const places = [...words].map(word => small.indexOf(word.toLowerCase())).filter(place => place >= 0);
  const begin = places.length ? text.lastIndexOf(" ", Math.max(places[0] - 100, 0)) + 1 : 0;
  const end = text.length > begin + 240 ? text.lastIndexOf(" ", begin + 240) : text.length;
  const summary = document.createElement("p");
  summary.className = "context";
  summary.textContent = (begin ? "… " : "") + text.slice(begin, end) + (end < text.length ? " …" : "");
  return summary;
};
