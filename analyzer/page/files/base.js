// What all parts of the page share. Text from a capture is put in as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const SIGNS = { error: "●", warning: "◐", info: "○" };
const SPACE = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, text = "") {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// A length of time in ns, as the program says it.
function length(ns) {
  const seconds = ns / 1e9;
  if (seconds < 0) return "-" + length(-ns);
  if (seconds < 0.0009995) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${+(seconds * 1e3).toPrecision(3)} ms`;
  if (seconds < 99.95) return `${+seconds.toPrecision(3)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  return minutes < 120 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// A moment, ns after the first packet, as a date in UTC to the nanosecond: what --at takes.
function date(ns) {
  const at = BigInt(data.first) + BigInt(Math.round(ns));
  const billion = 1000000000n;
  const seconds = at >= 0n ? at / billion : (at - billion + 1n) / billion;
  const rest = String(at - seconds * billion).padStart(9, "0");
  return new Date(Number(seconds) * 1000).toISOString().replace("T", " ").slice(0, 19) + "." + rest;
}

const offset = (ns) => (ns / 1e9).toFixed(6);
const endpoint = (ip, port) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
const count = (number) => number.toLocaleString("en");

async function unpacked(text) {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser cannot unpack it");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function copyButton(text) {
  return element("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `copy: ${text}` }, "copy");
}

function copied(text) {
  return element("span", { class: "copied" }, element("code", {}, text), copyButton(text));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { class: "aside" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  byId("said").textContent = `copied: ${text}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  copy(button.dataset.copy);
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
});

byId("theme").addEventListener("click", () => {
  const root = document.documentElement.classList;
  const dark = root.contains("dark") || (!root.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
  root.remove("dark", "light");
  root.add(dark ? "light" : "dark");
});
byId("print").addEventListener("click", () => print());

// The explanation of a code comes from the program, not from the capture; it is parsed apart, without scripts.
function explanation(code) {
  const parsed = new DOMParser().parseFromString(data.explanations[code] || "", "text/html");
  return element("div", { class: "explanation" }, ...parsed.body.childNodes);
}

function fillExplanation(details) {
  const place = details.querySelector("div");
  if (details.open && !place.hasChildNodes()) place.append(explanation(details.dataset.code));
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches && event.target.matches("details.explain")) fillExplanation(event.target);
}, true);

function explained(code) {
  return element("details", { class: "explain", "data-code": code },
    element("summary", {}, `What ${code} means`), element("div"));
}
