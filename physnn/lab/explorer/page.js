// The page: what is picked, what the tables say about it, and what happens on a change.
const box = document.getElementById("explorer");
const data = JSON.parse(box.querySelector("script[type='application/json']").textContent);
const ALL = "all of them", NONE = "no other arm";
const pinned = new Set();  // arms that the reader has marked

const study = box.querySelector("[name=study]");
const [model, measure, against] = ["model", "measure", "against"].map(name => make("select", {name}));
const [sorted, whole] = ["sorted", "whole"].map(name => make("input", {type: "checkbox", name}));
const summary = make("summary"), boxes = make("fieldset"), figures = make("div", {class: "figures"});
const told = make("p", {class: "told", role: "status"});
const ticked = () => [...boxes.querySelectorAll("input")];
const labelled = (words, select) => make("label", {}, words, select);
const button = (words, pick) => {
    const node = make("button", {type: "button"}, words);
    node.onclick = () => { for (const tick of ticked()) tick.checked = pick(tick.value); changed(); };
    return node;
};
const arms = make("details", {class: "arms"}, summary, make("p", {},
    button("all", () => true), button("none", () => false),
    button("those of the contrasts", term => now().contrasted.includes(term))), boxes);
const tools = make("div", {class: "tools"},
    make("div", {class: "selects"}, labelled("Model", model), labelled("Measure", measure),
        labelled("Compared with", against)), arms,
    make("div", {class: "ticks"}, make("label", {}, sorted, "sort by value"),
        make("label", {}, whole, "show the whole range")));

const now = () => data.studies[study.value];
const task = () => data.tasks[now().task];
const shown = () => model.value === ALL ? Object.keys(now().models) : [model.value];
const fill = (select, options, wanted) => {
    select.replaceChildren(...options.map(([value, words]) => make("option", {value}, words ?? value)));
    if (options.some(([value]) => value === wanted)) select.value = wanted;
};
const offer = (picked, reference) => {  // the arms of the models shown
    const kept = new Map(ticked().map(tick => [tick.value, tick.checked]));
    const terms = [...new Set(shown().flatMap(name => now().models[name].terms))];
    fill(against, [[NONE], ...terms.map(term => [term])], reference);
    boxes.replaceChildren(make("legend", {}, "Arms"), ...terms.map(term => {
        const tick = make("input", {type: "checkbox", value: term});
        tick.checked = picked ? picked.includes(term) : kept.get(term) ?? true;
        return make("label", {}, tick, term);
    }));
};
const choose = wanted => {  // another study: its card, its controls, its tables
    const {models, measures} = now(), names = Object.keys(models);
    for (const section of box.querySelectorAll("section")) {
        const here = section.dataset.study === study.value;
        section.classList.toggle("aside", !here);
        section.querySelector("details:not(.arms)").open = here && !measures.length;
        if (here) section.querySelector(".view").replaceChildren(
            ...measures.length ? [tools, told, figures] : ["No final runs: the test images were not read."]);
    }
    if (!measures.length) return;
    fill(model, [...names.map(name => [name]), ...names.length > 1 ? [[ALL]] : []], wanted.model ?? names.at(-1));
    fill(measure, measures.map(key => [key, task().measures[key].label]), wanted.measure ?? data.measure);
    offer(wanted.arms?.split("|"), wanted.against);
    render();
};

const readings = name => {  // the rows of a model: from the table on the page, or differences from the values by seed
    const {measures, models, settings} = now(), {terms, roles, values, curves} = models[name];
    const section = [...box.querySelectorAll("section")].find(node => node.dataset.study === study.value);
    const table = section.querySelectorAll(".scroll table")[Object.keys(models).indexOf(name)];
    const head = key => table.querySelector(`th[data-key="${key}"]`);
    const words = (i, key) => table.tBodies[0].rows[i].cells[head(key).cellIndex].textContent.trim();
    const bySeed = i => unpack(values[i]?.[measures.indexOf(measure.value)]), base = terms.indexOf(against.value);
    const difference = i => {
        const found = paired(bySeed(i) ?? [], bySeed(base) ?? [], data.quantile);
        return found.n > 1 ? {...found, text: write(found, task().measures[measure.value].decimals)}
            : {text: base < 0 ? "not here" : "no reference"};
    };
    const rows = terms.map((term, i) => {
        const text = words(i, measure.value), found = read(text);
        const role = Object.keys(roles).find(role => roles[role] === term) ?? "";
        const chosen = settings.map(key => [head(key).textContent, words(i, key)]).filter(([, text]) => text !== "–");
        const [n, planned] = words(i, "runs").split(" of ").map(Number);
        const row = {term, role, text, ...found, n, lost: n < planned, settings: chosen};
        row.curve = curves[i]?.map(unpack);
        if (against.value === NONE) return row;
        const nothing = {mean: undefined, text: i === base ? "the reference" : text};
        return {...row, ...i === base || found.mean === undefined ? nothing : {...nothing, ...difference(i)}};
    }).filter(row => ticked().some(tick => tick.checked && tick.value === row.term));
    return sorted.checked ? rows.sort((a, b) => (b.mean ?? -Infinity) - (a.mean ?? -Infinity)) : rows;
};

const render = () => {
    const names = shown(), blocks = names.map(readings), rows = blocks.flat(), compared = against.value !== NONE;
    const {label, margin} = task().measures[measure.value], known = rows.filter(row => row.mean !== undefined);
    const what = compared ? `${label.replace(", %", ", points")}, minus “${against.value}”` : label;
    const domain = known.length ? range(known, whole.checked, compared ? [0] : []) : [0, 1];
    figures.replaceChildren(...blocks.flatMap((rows, place) => [
        forest(rows, {domain, compared, margin, pinned, caption: `${names[place]}: ${what}`}),
        chart(rows, {all: whole.checked, place, space: figures.clientWidth,
            caption: `${names[place]}: ${task().score.replace(", ", " in ")}, by epoch, means over seeds`})]));
    const several = ticked(), picked = several.filter(tick => tick.checked).length;
    summary.textContent = `Arms: ${picked} of ${several.length}`;
    const list = (words, rows) => rows.length ? `${words}: ${[...new Set(rows.map(row => row.term))].join("; ")}.` : "";
    told.textContent = [
        `Dots are means${compared ? " of differences, paired" : ""} over seeds; bars are 95 % intervals, each`,
        "by itself.",
        compared && margin ? `Shaded: ±${margin} points.` : "",
        list("Beyond the axis", known.filter(row => row.mean < domain[0] || row.mean > domain[1])),
        list("Some runs diverged, the means are over the others", known.filter(row => row.lost)),
        list("Not computed", rows.filter(row => /diverged|one run|no reference/.test(row.text))),
    ].filter(Boolean).join(" ");
    heat();
};
const heat = hot => {  // the arms that are marked, and the one that is pointed at
    for (const node of figures.querySelectorAll("[data-term]")) {
        node.classList.toggle("pinned", pinned.has(node.dataset.term));
        node.classList.toggle("hot", node.dataset.term === hot);
    }
};
const changed = () => {  // what is picked goes into the address, to be kept or sent
    if (now().measures.length) render();
    const terms = ticked().filter(tick => tick.checked).map(tick => tick.value);
    const picked = {study: study.value, model: model.value, measure: measure.value,
        ...against.value === NONE ? {} : {against: against.value},
        ...terms.length === ticked().length ? {} : {arms: terms.join("|")}};
    try { history.replaceState(history.state, "", `#${new URLSearchParams(picked)}`); } catch { /* a frame has none */ }
};

study.onchange = () => { choose({measure: measure.value}); changed(); };
tools.addEventListener("change", ({target}) => { if (target === model) offer(null, against.value); changed(); });
figures.addEventListener("click", ({target}) => {
    const name = target.closest("button"), term = name?.textContent;
    if (!name) return;
    pinned.has(term) ? pinned.delete(term) : pinned.add(term);
    name.setAttribute("aria-pressed", pinned.has(term));
    heat(term);
});
for (const kind of ["pointerover", "focusin"]) {
    figures.addEventListener(kind, ({target}) => heat(target.closest("[data-term]")?.dataset.term));
}
figures.addEventListener("pointerleave", () => heat());
let width = 0;
new ResizeObserver(() => {  // the curves are drawn in pixels
    if (!figures.clientWidth || figures.clientWidth === width) return;
    width = figures.clientWidth;
    render();
}).observe(figures);
const print = matchMedia("print");
print.addEventListener("change", () => {
    for (const tables of box.querySelectorAll("section > details")) tables.open = print.matches;
});

const address = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
if (address.study in data.studies) study.value = address.study;
arms.open = innerWidth > 700;
box.classList.add("running");
choose(address.study in data.studies ? address : {});
