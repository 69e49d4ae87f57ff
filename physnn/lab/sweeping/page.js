// The page: what is picked, filtered and sorted, and the figures and rows of it.
const data = JSON.parse(document.querySelector("script[type='application/json']").textContent);
const numbers = text => {  // of a text such as 93.2 [92.8, 93.6]
    const found = String(text ?? "").replaceAll("−", "-").match(/[-+]?(?:[\d.,]*\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)/gi) ?? [];
    return found.map(part => Number(part.replaceAll(",", "").replace(/inf/i, "Infinity")));
};
for (const column of data.columns) {
    column.cells = column.codes ? column.codes.map(code => column.words[code]) : column.cells;
    if (!column.numeric) continue;
    const read = column.cells.map(cell => typeof cell === "number" ? [cell] : cell == null ? [NaN] : numbers(cell));
    column.numbers = read.map(([value]) => value ?? NaN);
    if (read.some(some => some.length === 3)) {
        [column.low, column.high] = [1, 2].map(place => read.map(some => some[place] ?? some[0]));
    }
}
const named = name => data.columns.find(column => column.name === name);
const find = name => named(name) ?? data.columns.find(column => column.name.toLowerCase() === name.toLowerCase());
const parameters = data.columns.filter(column => column.axis), values = data.columns.filter(column => column.drawn_as);
const all = new Set(Array.from({length: data.points.length}, (_, i) => i));
const pick = id => document.getElementById(id);
let order = {column: null, down: true};

// Terms such as quartic=0 or lr<0.1, and words that stand anywhere in a row; a row has to meet all of them.
const chosen = () => {
    const tests = pick("filter").value.trim().split(/\s+/).filter(Boolean).map(term => {
        const [, name, sign, wanted] = term.match(/^(.+?)(<=|>=|!=|=|<|>)(.*)$/) ?? [];
        const column = name && find(name);
        if (!column) return i => data.columns.some(each => String(each.cells[i] ?? "").toLowerCase().includes(term.toLowerCase()));
        const number = Number(wanted.replace("−", "-")), value = i => (column.numbers ?? column.cells)[i];
        const same = i => String(column.cells[i] ?? "") === wanted || (wanted !== "" && value(i) === number);
        return {"=": same, "!=": i => !same(i), "<": i => value(i) < number, ">": i => value(i) > number,
            "<=": i => value(i) <= number, ">=": i => value(i) >= number}[sign];
    });
    return tests.length ? new Set([...all].filter(i => tests.every(test => test(i)))) : all;
};
const sorted = indices => {
    const column = order.column && named(order.column);
    if (!column) return [...indices];
    const key = i => column.numbers ? column.numbers[i] : column.cells[i];
    const absent = i => key(i) == null || Number.isNaN(key(i));  // they stand last, whichever way it is sorted
    const before = (a, b) => typeof key(a) === "number" && typeof key(b) === "number" ? key(a) - key(b)
        : String(key(a)).localeCompare(String(key(b)));
    return [...indices].sort((a, b) => absent(a) || absent(b) ? absent(a) - absent(b) : (order.down ? -1 : 1) * before(a, b) || a - b);
};

const cell = (column, i) => {
    const node = document.createElement("td"), value = column.cells[i];
    if (column.right) node.className = "n";
    node.textContent = value == null ? "" : typeof value === "number" && !column.axis ? Number(value.toPrecision(6)) : value;
    return node;
};
const files = i => {
    const node = document.createElement("td");
    for (const [kind, name] of [["ipynb", "notebook"], ["log", "log"]]) {
        const link = document.createElement("a");
        [link.href, link.textContent] = [`points/${data.points[i]}.${kind}`, name];
        node.append(link, " ");
    }
    return node;
};
const rows = indices => {
    const most = Math.max(1, Number(pick("most").value) || 1), shown = sorted(indices).slice(0, most);
    document.querySelector("#points tbody").replaceChildren(...shown.map(i => {
        const line = document.createElement("tr");
        line.append(...data.files ? [files(i)] : [], ...data.columns.map(column => cell(column, i)));
        return line;
    }));
    const by = order.column ? `, ${order.down ? "largest" : "smallest"} ${order.column} first` : "";
    const [few, marked, every] = [shown.length, indices.size, all.size].map(count => count.toLocaleString("en"));
    pick("told").textContent = `${few} of ${marked === every ? "" : `${marked} chosen of `}${every} points${by}.`;
    document.querySelectorAll("#points th").forEach(head => {
        const here = order.column !== null && head.textContent === order.column;
        here ? head.setAttribute("aria-sort", order.down ? "descending" : "ascending") : head.removeAttribute("aria-sort");
    });
};
const figures = indices => {
    const value = named(pick("value")?.value);
    if (!value) return;
    const pair = ["across", "up"].map(id => named(pick(id)?.value)).filter(Boolean);
    const drawn = parameters.map(parameter => against(value, parameter, data.curves[value.name]?.[parameter.name], indices));
    if (pair.length === 2 && pair[0] !== pair[1]) drawn.push(over(value, ...pair, indices));
    pick("figures").replaceChildren(...drawn);
};
const show = () => {
    const indices = chosen();
    rows(indices);
    figures(indices);
};
const sort = (column, down) => {
    order = {column: column || null, down};
    [pick("by").value, pick("way").value] = [column ?? "", down ? "largest" : "smallest"];
    rows(chosen());
};

document.querySelectorAll("#points th").forEach((head, i) => {
    const column = data.columns[data.files ? i - 1 : i];
    if (!column) return;  // files
    const button = document.createElement("button"), name = column.name;
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => sort(name, order.column === name ? !order.down : true));
    head.replaceChildren(button);
});
for (const id of ["by", "way"]) pick(id).addEventListener("change", () => sort(pick("by").value, pick("way").value === "largest"));
for (const id of ["filter", "most"]) pick(id).addEventListener("input", show);
for (const id of ["value", "across", "up"]) pick(id)?.addEventListener("change", show);
document.querySelectorAll("[hidden].live").forEach(node => { node.hidden = false; });
show();
