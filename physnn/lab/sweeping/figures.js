// Drawing: axes, dots against a parameter with their means or their smooth, and a value over two parameters.
const W = 380, H = 260, LEFT = 58, RIGHT = 12, TOP = 10, BOTTOM = 44;
const draw = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
};
const at = value => value.toFixed(1);
const short = (text, length) => text.length <= length ? text
    : `${text.slice(0, Math.ceil(length / 2) - 1)}…${text.slice(1 - Math.floor(length / 2))}`;
const written = value => {
    const size = Math.abs(value), plain = Number(value.toPrecision(4));
    return (size && (size < 1e-3 || size >= 1e5) ? plain.toExponential().replace("e+", "e") : String(plain)).replaceAll("-", "−");
};
const nice = (low, high, count) => {  // round numbers between two ends
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find(m => m * power >= 0.999 * rough) * power, first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({length: Math.max(0, last - first + 1)}, (_, i) => Number(((first + i) * step).toPrecision(12)));
};

// An axis from one pixel to another: where each of the column's levels is, and marks that do not touch.
const axis = (column, from, to, room) => {
    const {levels, scale, threshold} = column;
    const bend = scale === "log" ? Math.log10 : scale === "symlog"
        ? v => Math.sign(v) * Math.log10(1 + Math.abs(v) / threshold) : v => v;
    const place = scale === "places" ? new Map(levels.map((level, i) => [level, i])) : null;
    const bent = level => place ? place.get(level) : bend(level);
    const ends = levels.length ? [bent(levels[0]), bent(levels.at(-1))] : [0, 1];
    const pad = scale === "places" ? 0.5 : 0.06 * (ends[1] - ends[0]) || 0.5;
    const [low, high] = [ends[0] - pad, ends[1] + pad];
    const pixel = level => from + (to - from) * (bent(level) - low) / (high - low);
    let marks = column.name !== undefined && levels.length <= 12 ? levels : [];  // an extent has round numbers instead
    if (!place && !fit(marks.map(pixel), room)) marks = [];
    if (!place && !marks.length) {
        const [a, b] = [levels[0], levels.at(-1)];
        const tens = Array.from({length: 80}, (_, i) => 10 ** (i - 40)).filter(v => v >= a * 0.999 && v <= b * 1.001);
        marks = scale === "log" && tens.length > 1 ? tens : scale === "linear" || scale === "log" ? nice(a, b, 5)
            : [...new Set([a, 0, b])].filter(v => v >= a && v <= b);
        while (marks.length > 2 && !fit(marks.map(pixel), room)) marks = marks.filter((_, i) => i % 2 === 0);
    }
    const letters = place ? Math.max(2, Math.min(14, Math.abs(to - from) / levels.length / 7.5)) : 14;
    if (place && (!fit(marks.map(pixel), 18))) marks = [];
    const name = level => typeof level === "number" ? written(level) : short(String(level), letters);
    return {pixel, marks: marks.map(level => [pixel(level), name(level)])};
};
const fit = (pixels, room) => pixels.length > 0 && pixels.every((p, i) => !i || Math.abs(p - pixels[i - 1]) >= room);
const span = numbers => {
    const finite = numbers.filter(Number.isFinite);
    const low = finite.reduce((a, b) => Math.min(a, b), Infinity), high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
    return low < high ? {levels: [low, high], scale: "linear"} : {levels: [low - 1, low + 1], scale: "linear"};
};

const frame = (label, xs, ys, xname) => {
    const svg = draw("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label});
    for (const [y, text] of ys.marks) {
        svg.append(draw("line", {class: "grid", x1: LEFT, x2: W - RIGHT, y1: at(y), y2: at(y)}),
            draw("text", {x: LEFT - 6, y: at(y + 4), "text-anchor": "end"}, text));
    }
    svg.append(draw("line", {class: "axis", x1: LEFT, x2: W - RIGHT, y1: H - BOTTOM, y2: H - BOTTOM}));
    for (const [x, text] of xs.marks) {
        svg.append(draw("line", {class: "axis", x1: at(x), x2: at(x), y1: H - BOTTOM, y2: H - BOTTOM + 4}),
            draw("text", {x: at(x), y: H - BOTTOM + 18, "text-anchor": "middle"}, text));
    }
    svg.append(draw("text", {class: "name", x: (LEFT + W - RIGHT) / 2, y: H - 6, "text-anchor": "middle"}, short(xname, 44)));
    return svg;
};
const figure = svg => {
    const node = document.createElement("figure");
    node.append(svg);
    return node;
};
const dots = places => places.map(([x, y]) => `M${at(x)} ${at(y)}h0`).join("");
const upright = (x, low, high) => `M${at(x)} ${at(low)}V${at(high)}`;

// A value against a parameter. Dots that the filter has chosen stand out; lines are of all points.
const against = (value, parameter, curve, chosen) => {
    const low = value.low ?? value.numbers, high = value.high ?? value.numbers, few = value.numbers.length <= 1000;
    const extent = span([...value.numbers, ...(few ? [...low, ...high] : []), ...(curve?.low ?? []), ...(curve?.high ?? [])]);
    const xs = axis(parameter, LEFT, W - RIGHT, 42), ys = axis(extent, H - BOTTOM, TOP, 20);
    const svg = frame(`${value.name} against ${parameter.name}`, xs, ys, parameter.name);
    const here = value.numbers.flatMap((v, i) => Number.isFinite(v) && parameter.cells[i] != null
        ? [[xs.pixel(parameter.cells[i]), ys.pixel(v), i]] : []);
    if (few && value.low) {
        const bars = here.map(([x, , i]) => low[i] < high[i] ? upright(x, ys.pixel(low[i]), ys.pixel(high[i])) : "");
        svg.append(draw("path", {class: "bars", d: bars.join("")}));
    }
    const size = few ? "" : " many", some = chosen.size < value.numbers.length;
    svg.append(draw("path", {class: `dots${size}${some ? " others" : ""}`, d: dots(here)}));
    if (some) svg.append(draw("path", {class: `dots${size} chosen`, d: dots(here.filter(([, , i]) => chosen.has(i)))}));
    if (curve) {
        const path = curve.x.map((x, i) => [xs.pixel(x), ys.pixel(curve.mean[i])]);
        const bars = curve.x.map((x, i) => curve.low?.[i] == null ? "" : upright(xs.pixel(x), ys.pixel(curve.low[i]), ys.pixel(curve.high[i])));
        if (parameter.scale !== "places") svg.append(draw("path", {class: "line", d: path.map(([x, y], i) => `${i ? "L" : "M"}${at(x)} ${at(y)}`).join("")}));
        if (!curve.smooth) svg.append(draw("path", {class: "spread", d: bars.join("")}), draw("path", {class: "means", d: dots(path)}));
    }
    return figure(svg);
};

// A value over two parameters: shades of the means in a grid, or of the points where a parameter was drawn.
const over = (value, first, second, chosen) => {
    const marked = value.numbers.flatMap((v, i) => Number.isFinite(v) && chosen.has(i) ? [[first.cells[i], second.cells[i], v]] : []);
    const spread = first.drawn || second.drawn;
    const cells = new Map();
    for (const [a, b, v] of marked) {
        const key = JSON.stringify([a, b]);
        cells.set(key, [...(cells.get(key) ?? []), v]);
    }
    const means = [...cells].map(([key, all]) => [...JSON.parse(key), all.reduce((s, v) => s + v, 0) / all.length]);
    const shown = spread ? marked : means, [low, high] = span(shown.map(([, , v]) => v)).levels;
    const share = v => Math.max(0, Math.min(1, (v - low) / (high - low)));
    const shade = s => `color-mix(in oklab, var(--baseline) ${(8 + 92 * s).toFixed(0)}%, var(--paper))`;
    const flat = column => spread ? column : {...column, scale: "places"};
    const xs = axis(flat(first), LEFT, W - RIGHT, 42), ys = axis(flat(second), H - BOTTOM, TOP + 22, 20);
    const svg = frame(`${value.name} over ${first.name} and ${second.name}`, xs, ys, `${first.name} (across), ${second.name} (up)`);
    if (spread) {
        const steps = Array.from({length: 16}, () => []);
        for (const [a, b, v] of shown) steps[Math.min(15, Math.floor(16 * share(v)))].push([xs.pixel(a), ys.pixel(b)]);
        steps.forEach((places, i) => svg.append(draw("path", {class: "dots", style: `stroke: ${shade(i / 15)}; opacity: 1; stroke-width: ${shown.length > 1000 ? 4 : 8}`, d: dots(places)})));
    } else {
        const [w, h] = [(W - LEFT - RIGHT) / first.levels.length, (H - BOTTOM - TOP - 22) / second.levels.length];
        for (const [a, b, v] of shown) {
            const [x, y] = [xs.pixel(a), ys.pixel(b)];
            svg.append(draw("rect", {x: at(x - w / 2), y: at(y - h / 2), width: at(w), height: at(h), style: `fill: ${shade(share(v))}`}));
            if (w > 44 && h > 16) svg.append(draw("text", {class: share(v) > 0.55 ? "on-dark" : "on-light", x: at(x), y: at(y + 4), "text-anchor": "middle"}, written(v)));
        }
    }
    for (let i = 0; i < 40; i++) svg.append(draw("rect", {x: at(LEFT + 70 + 3 * i), y: 2, width: 3.2, height: 10, style: `fill: ${shade(i / 39)}`}));
    svg.append(draw("text", {x: LEFT + 64, y: 12, "text-anchor": "end"}, written(low)), draw("text", {x: LEFT + 196, y: 12}, written(high)));
    return figure(svg);
};
