"""What figures share that simulate in the reader's page: random numbers in JavaScript, the same in every browser.

:data:`NOISE` begins a script of a ``CustomJS`` callback. It defines ``uniform()``, by the generator mulberry32 from a
fixed seed, and ``normal()``, by Box and Muller's method.
"""

NOISE = """
let seed = 20240628;
const uniform = () => {  // mulberry32
    seed = seed + 0x6D2B79F5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
};
let spare = null;
const normal = () => {  // Box and Muller
    if (spare !== null) { const kept = spare; spare = null; return kept }
    const r = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    spare = r * Math.sin(angle);
    return r * Math.cos(angle);
};
"""
