// Drawing: elements, rows of a table with their intervals, and learning curves.
const DRAWN = new Set(["svg", "g", "line", "circle", "path", "text", "rect", "title", "clipPath"]);
const make = (tag, attributes = {}, ...children) => {
    const node = DRAWN.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag)
        : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.filter(child => child !== null));
    return node;
};

const forest = (rows, {domain, compared, margin, pinned, caption}) => {  // horizontally in percent: it fits any width
    const share = v => 100 * (v - domain[0]) / (domain[1] - domain[0]), x = v => `${share(v).toFixed(2)}%`;
    const within = v => Math.min(domain[1], Math.max(domain[0], v)), marks = ticks(domain, 5);
    const upright = (kind, v) => make("line", {class: kind, x1: x(v), x2: x(v), y1: 0, y2: "100%"});
    const beyond = (mark, at, anchor) => make("text", {class: "beyond", x: at, y: "50%", "text-anchor": anchor}, mark);
    const picture = row => {
        const svg = make("svg", {"aria-hidden": "true"});
        if (compared && margin) {
            const [from, to] = [within(-margin), within(margin)], width = `${share(to) - share(from)}%`;
            svg.append(make("rect", {class: "margin", x: x(from), width, y: 0, height: "100%"}));
        }
        svg.append(...marks.map(([v]) => upright(compared && v === 0 ? "zero" : "grid", v)));
        if (row.mean === undefined) return svg;
        const [low, high] = [within(row.low), within(row.high)];
        if (low < high) svg.append(make("line", {class: "bar", x1: x(low), x2: x(high), y1: "50%", y2: "50%"}));
        svg.append(row.mean < domain[0] ? beyond("◀", "1%", "start")
            : row.mean > domain[1] ? beyond("▶", "99%", "end") : make("circle", {cx: x(row.mean), cy: "50%", r: 4}));
        return svg;
    };
    const axis = make("svg", {"aria-hidden": "true"}, ...marks.map(([v, name]) =>
        make("text", {x: x(v), y: "72%", "text-anchor": "middle"}, name)));
    const several = rows.some(row => row.settings.length > 1);  // too many for a column: they stand under the name
    const heads = {arm: "arm", plot: axis, value: compared ? "difference" : "mean", n: "n"};
    if (!several) heads.setting = "learning rate";
    const lines = rows.map(row => {
        const settings = row.settings.map(([key, value]) => several ? `${key} ${value}` : value).join(", ");
        const name = make("button", {type: "button", "aria-pressed": pinned.has(row.term)}, row.term);
        const numbers = row.mean === undefined ? [] : ["mean", "low", "high"].map(key => [`data-${key}`, row[key]]);
        return make("tr", {"data-term": row.term, class: row.role, ...Object.fromEntries(numbers)},
            make("th", {scope: "row", class: "arm"}, name, several ? make("small", {}, settings) : null),
            make("td", {class: "plot"}, picture(row)), make("td", {class: "value"}, row.text),
            make("td", {class: "n"}, row.n), several ? null : make("td", {class: "setting"}, settings));
    });
    const head = Object.entries(heads).map(([kind, inner]) => make("th", {scope: "col", class: kind}, inner));
    return make("table", {class: several ? "forest several" : "forest"}, make("caption", {}, caption),
        make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...lines));
};

const chart = (rows, {all, place, space, caption}) => {  // every curve with its name at its end
    const drawn = rows.filter(row => row.curve);
    if (!drawn.length) return "";
    const curves = drawn.map(({curve: [means, halves]}) =>
        means.map((mean, i) => ({mean, low: mean - halves[i], high: mean + halves[i]})));
    const domain = range(curves.flat(), all), last = curves[0].length;
    const width = Math.max(280, space), longest = Math.max(...drawn.map(row => row.term.length));
    const side = Math.min(0.42 * width, 6.6 * longest + 26), right = width - side, left = 44;
    const height = Math.max(Math.min(300, 0.8 * width), 15 * drawn.length + 40), bottom = height - 34;
    const x = i => left + 6 + (last > 1 ? (right - left - 12) * i / (last - 1) : 0);
    const y = v => bottom - (bottom - 8) * (v - domain[0]) / (domain[1] - domain[0]);
    const path = points => points.map(([i, v], k) => `${k ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    const tick = (place, name, anchor = "middle") =>
        make("text", {class: "tick", "text-anchor": anchor, ...place}, name);

    const ends = drawn.map((row, k) => ({row, points: curves[k], from: Math.min(bottom, y(curves[k].at(-1).mean))}))
        .sort((a, b) => a.from - b.from);  // names keep 15 pixels from each other, downwards and then back up
    ends.forEach((end, i) => { end.at = Math.max(end.from, i ? ends[i - 1].at + 15 : 10); });
    ends.reduceRight((below, end) => end.at = Math.min(end.at, below - 15), bottom + 19);
    const letters = Math.floor((side - 22) / 6.4), cut = name => `${name.slice(0, letters - 1)}…`;
    const group = ({row, points, from, at}) => make("g", {"data-term": row.term, class: row.role},
        make("title", {}, row.term),
        make("g", {"clip-path": `url(#explorer-clip-${place})`},
            make("path", {class: "band", d: `${path([...points.map((p, i) => [i, p.high]),
                ...points.map((p, i) => [i, p.low]).reverse()])}Z`}),
            make("path", {class: "line", d: path(points.map((p, i) => [i, p.mean]))})),
        make("path", {class: "leader", d: `M${right - 5} ${from}L${right + 17} ${at}`}),
        make("text", {x: right + 20, y: at + 4}, row.term.length > letters ? cut(row.term) : row.term));
    const above = row => ["", "baseline", "proposal"].indexOf(row.role);
    const epochs = Array.from({length: last}, (_, i) => i).filter(i => (i + 1) % Math.ceil(last / 5) === 0);
    const said = drawn.map((row, k) => `${row.term} ${curves[k].at(-1).mean.toFixed(2)}`).join(", ");
    const label = `${caption}. At the end: ${said}.`;
    const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label},
        make("clipPath", {id: `explorer-clip-${place}`},
            make("rect", {x: left, y: 0, width: right - left, height: bottom})),
        ...ticks(domain, 4).flatMap(([v, name]) => [tick({x: left - 6, y: y(v) + 4}, name, "end"),
            make("line", {class: "grid", x1: left, x2: right, y1: y(v), y2: y(v)})]),
        ...epochs.map(i => tick({x: x(i), y: bottom + 17}, i + 1)),
        tick({x: (left + right) / 2, y: bottom + 32}, "epoch"),
        ...ends.sort((a, b) => above(a.row) - above(b.row)).map(group));
    return make("figure", {}, svg, make("figcaption", {}, `${caption}, with 95 % intervals.`));
};
