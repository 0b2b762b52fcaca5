// Sockets by state over time; the sockets of a moment, by the rules of `teardown netstat --at`.
const STATES = data.states, NONE = -1, TIME_WAIT = STATES.indexOf("TIME_WAIT"), UNKNOWN = STATES.indexOf("UNKNOWN");
const NO_SOCKET = 1 << STATES.length, ANY = 2 * NO_SOCKET - 1;
const ORDER = ["ESTABLISHED", "SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT", "UNKNOWN"];
const named = (state) => state.toLowerCase().replaceAll("_", "-");
let steps = null;

const allSteps = () => (steps ??= byId("steps").textContent ? unpacked(byId("steps").textContent) : Promise.resolve({}));

// One endpoint at a moment, null where it has no socket. A step is [time, earliest, latest, state, ended by a timer].
function socketAt([own, fromUnknown, again], now) {
  let begun = 0;
  while (begun < own.length && own[begun][0] <= now) begun++;
  const column = begun ? own[begun - 1][3] : NONE;
  if (column === NONE) return null;
  let possible = 0;
  own.forEach(([, earliest, , state], place) => {
    const until = place + 1 < own.length ? own[place + 1][2] : Infinity;
    if ((earliest ?? -Infinity) <= now && until > now) possible |= state === NONE ? NO_SOCKET : 1 << state;
  });
  if (own[0][2] > now) possible |= NO_SOCKET;
  if (!possible) possible = NO_SOCKET;
  const others = column === UNKNOWN ? 0 : possible & ~(1 << column) & ~(1 << UNKNOWN);
  const also = [...STATES, "CLOSED"].filter((_, bit) => others >> bit & 1);
  const since = Math.max(own[begun - 1][0], ...again.filter((time) => time <= now));
  const left = column === TIME_WAIT ? Math.max(since, now - data.timeWait) + data.timeWait - now : null;
  return { state: STATES[column], also, left };
}

// All sockets of the connections in the page.
async function netstat(now) {
  const found = [];
  for (const [stream, ends] of Object.entries(await allSteps())) {
    const row = rowOf.get(Number(stream));
    ["client", "server"].forEach((side, place) => {
      const other = place ? "client" : "server", socket = ends[place][0].length ? socketAt(ends[place], now) : null;
      if (socket) found.push({ ...socket, stream: Number(stream), endpoint: side,
        local: endpoint(at(`${side}_ip`, row), at(`${side}_port`, row)),
        foreign: endpoint(at(`${other}_ip`, row), at(`${other}_port`, row)) });
    });
  }
  return found;
}

const chart = { series: null, from: 0, to: 1, moment: 0, left: 44, right: 8, top: 8, height: 230, bottom: 24 };

function place(times, moment) {  // of the last count that holds at a moment
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= moment) low = middle + 1; else high = middle;
  }
  return low - 1;
}

const stated = (series) => ORDER.filter((state) => state in series.states);
const across = (ns) => chart.left + (ns - chart.from) / (chart.to - chart.from) * (chart.width - chart.left - chart.right);

function drawChart() {
  const { series } = chart, holder = byId("chart");
  if (!series) return;
  chart.width = Math.max(holder.clientWidth, 280);
  const states = stated(series), first = Math.max(place(series.times, chart.from), 0);
  const last = Math.min(place(series.times, chart.to) + 1, series.times.length);
  const totals = [];
  for (let row = first; row < last; row++) totals.push(states.reduce((sum, state) => sum + series.states[state][row], 0));
  const most = Math.max(1, ...totals), base = chart.top + chart.height;
  const up = (number) => base - number / most * chart.height;
  const picture = drawn("svg", { class: "picture chart", viewBox: `0 0 ${chart.width} ${base + chart.bottom}`, width: chart.width,
    height: base + chart.bottom, tabindex: "0", role: "slider", "aria-label": `sockets of the ${series.whose === "server" ? "server" : "clients of"} ${series.server}; arrows move through time, Enter lists the sockets`,
    "aria-valuemin": "0", "aria-valuemax": String(data.last / 1e9), "aria-valuenow": String(chart.moment / 1e9) });
  const below = new Array(last - first).fill(0);
  for (const state of states) {
    const upper = [], lower = [];
    for (let row = first; row < last; row++) {
      const x = Math.max(across(series.times[row]), chart.left), until = row + 1 < series.times.length ? series.times[row + 1] : chart.to;
      const end = Math.min(across(Math.min(until, chart.to)), chart.width - chart.right), low = below[row - first];
      const high = low + series.states[state][row];
      upper.push(`${x.toFixed(1)} ${up(high).toFixed(1)}`, `${end.toFixed(1)} ${up(high).toFixed(1)}`);
      lower.push(`${x.toFixed(1)} ${up(low).toFixed(1)}`, `${end.toFixed(1)} ${up(low).toFixed(1)}`);
      below[row - first] = high;
    }
    const path = `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
    picture.append(drawn("path", { d: path, class: `s-${named(state)}` }));
    if (state === "CLOSE_WAIT" || state === "UNKNOWN") picture.append(drawn("path", { d: path, fill: state === "UNKNOWN" ? "url(#hatch)" : "url(#leak)" }));
  }
  for (const number of new Set([0, Math.round(most / 2), most]))
    picture.append(drawn("path", { d: `M${chart.left} ${up(number)}H${chart.width - chart.right}`, class: "edge" }),
      drawn("text", { x: chart.left - 4, y: up(number) + 4, "text-anchor": "end", class: "t-faint" }, count(number)));
  for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
    const moment = chart.from + share * (chart.to - chart.from);
    picture.append(drawn("text", { x: across(moment), y: base + 16, "text-anchor": anchor, class: "t-faint" }, moment ? length(moment) : "0 s"));
  }
  const line = drawn("path", { class: "pointer", d: "" }), words = drawn("text", { class: "t-bold", y: chart.top + 12 });
  picture.append(line, words);
  holder.replaceChildren(picture);
  Object.assign(chart, { picture, line, words, up });
  point(chart.moment, false);
}

// The counts at a moment, as the program counts them.
function countsAt(series, moment) {
  const row = place(series.times, moment);
  return stated(series).map((state) => [state, row < 0 ? 0 : series.states[state][row]]).filter(([, number]) => number);
}

function point(moment, list) {
  chart.moment = Math.min(Math.max(moment, 0), data.last);
  const x = across(chart.moment), shown = x >= chart.left - 1 && x <= chart.width - chart.right + 1;
  chart.line.setAttribute("d", shown ? `M${x.toFixed(1)} ${chart.top}V${chart.top + chart.height}` : "");
  const said = countsAt(chart.series, chart.moment).map(([state, number]) => `${count(number)} ${state}`).join(", ") || "no socket";
  chart.picture.setAttribute("aria-valuenow", String(chart.moment / 1e9));
  chart.picture.setAttribute("aria-valuetext", `${length(chart.moment)}: ${said}`);
  byId("chart-words").textContent = `${date(chart.moment)} UTC, ${length(chart.moment)} after the first packet: ${said}. ` + (chart.series.exact
    ? "Every change is in the picture."
    : `Counted at ${count(chart.series.times.length)} moments; what changed in between is not in the picture.`);
  if (list) listSockets(chart.moment);
}

async function listSockets(moment) {
  const { series } = chart, holder = byId("netstat"), most = 200;
  let found;
  try {
    found = (await netstat(moment)).filter((socket) =>
      series.whose === "server" ? socket.endpoint === "server" && socket.local === series.server : socket.endpoint === "client" && socket.foreign === series.server);
  } catch (error) {
    holder.replaceChildren(element("p", {}, `The sockets cannot be listed: ${error.message}.`));
    return;
  }
  const grave = (socket) => ORDER.indexOf(socket.state);
  found.sort((one, other) => (one.state === "CLOSE_WAIT" ? -1 : grave(one)) - (other.state === "CLOSE_WAIT" ? -1 : grave(other)) || one.stream - other.stream);
  const counts = countsAt(series, moment), total = counts.reduce((sum, [, number]) => sum + number, 0);
  const body = found.slice(0, most).map((socket) => element("tr", {}, element("td", {}, socket.local), element("td", {}, socket.foreign),
    element("td", {}, socket.state + (socket.also.length ? " ~" : "")), element("td", {}, socket.also.join(" ")),
    element("td", {}, socket.left === null ? "" : `${(socket.left / 1e9).toFixed(1)} s`), element("td", {}, chip(socket.stream))));
  const head = ["Local Address", "Foreign Address", "State", "also possible", "left", "stream"];
  const which = data.all ? "" : ` Of ${count(total)} sockets this page lists the ${count(found.length)} of the connections it has; for all of them:`;
  const cut = found.length > most ? ` The first ${most} are shown.` : "";
  holder.replaceChildren(
    element("h3", {}, `Sockets at ${date(moment)} UTC`),
    element("p", {}, counts.map(([state, number]) => `${count(number)} ${state}`).join(", ") || "No socket.", which, cut),
    element("p", {}, copied(data.commands.netstat.replace("TIME", `'${date(moment)}'`))),
    element("div", { class: "scrolls" }, element("table", { class: "plain" },
      element("thead", {}, element("tr", {}, ...head.map((cell) => element("th", { scope: "col" }, cell)))), element("tbody", {}, ...body))),
    element("p", { class: "faint" }, "~ uncertain: the packets allow the other states, too. Each state is the best estimate. A click in the picture, or the arrows and Enter, lists the sockets of another moment."));
}

function zoom(from, to) {
  const least = Math.min(1000, data.last || 1);
  const span = Math.min(Math.max(to - from, least), data.last || 1);
  chart.from = Math.min(Math.max(from, 0), Math.max(data.last - span, 0));
  chart.to = chart.from + span;
  drawChart();
}

function chartTable() {
  const { series } = chart, states = stated(series), every = Math.max(1, Math.ceil(series.times.length / 100));
  const rows = series.times.map((time, row) => [time, row]).filter(([, row]) => row % every === 0);
  const body = rows.map(([time, row]) => element("tr", {}, element("th", { scope: "row" }, `${offset(time)} s`),
    ...states.map((state) => element("td", {}, count(series.states[state][row])))));
  byId("chart-table").replaceChildren(element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...["after the first packet", ...states].map((cell) => element("th", { scope: "col" }, cell)))),
    element("tbody", {}, ...body)));
}

function choose(number) {
  chart.series = data.series[number];
  byId("legend").replaceChildren(...stated(chart.series).map((state) => {
    const key = drawn("svg", { class: "key", viewBox: "0 0 12 12", "aria-hidden": "true" });
    key.append(drawn("rect", { width: 12, height: 12, class: `s-${named(state)}` }));
    if (state === "CLOSE_WAIT" || state === "UNKNOWN") key.append(drawn("rect", { width: 12, height: 12, fill: state === "UNKNOWN" ? "url(#hatch)" : "url(#leak)" }));
    return element("span", {}, key, ` ${state} `);
  }));
  drawChart();
  chartTable();
  listSockets(chart.moment);
}

if (byId("chart") && data.series.length) {
  chart.to = data.last || 1;
  chart.moment = data.last;
  byId("series").append(...data.series.map((series, number) =>
    element("option", { value: String(number) }, series.whose === "server" ? `${series.server}` : `clients of ${series.server}`)));
  byId("series").addEventListener("change", (event) => choose(Number(event.target.value)));
  byId("sockets-form").addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    const middle = chart.moment >= chart.from && chart.moment <= chart.to ? chart.moment : (chart.from + chart.to) / 2;
    const span = (chart.to - chart.from) * (button.dataset.zoom === "in" ? 0.5 : 2);
    if (button.dataset.zoom === "all") zoom(0, data.last || 1); else zoom(middle - span / 2, middle + span / 2);
  }));
  const holder = byId("chart");
  const momentOf = (event) => {
    const box = chart.picture.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * chart.width;
    return chart.from + (x - chart.left) / (chart.width - chart.left - chart.right) * (chart.to - chart.from);
  };
  let pressed = null;
  holder.addEventListener("pointerdown", (event) => { pressed = momentOf(event); });
  holder.addEventListener("pointermove", (event) => point(momentOf(event), false));
  holder.addEventListener("pointerup", (event) => {
    const end = momentOf(event);
    if (pressed !== null && Math.abs(across(end) - across(pressed)) > 8) zoom(Math.min(pressed, end), Math.max(pressed, end));
    else point(Math.round(end), true);
    pressed = null;
  });
  holder.addEventListener("keydown", (event) => {
    const { times } = chart.series, here = place(times, chart.moment);
    const moves = { ArrowRight: times[here + 1], ArrowLeft: times[here] < chart.moment ? times[here] : times[here - 1], Home: 0, End: data.last };
    if (event.key in moves) { if (moves[event.key] !== undefined) point(moves[event.key], false); }
    else if (event.key === "Enter" || event.key === " ") listSockets(chart.moment);
    else if (event.key === "+") document.querySelector("[data-zoom=in]").click();
    else if (event.key === "-") document.querySelector("[data-zoom=out]").click();
    else return;
    event.preventDefault();
  });
  addEventListener("resize", drawChart);
  choose(0);
}
