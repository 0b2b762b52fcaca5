// One connection, opened: its facts, its ladder, what was found about it.
const columns = data.connections;
const at = (name, row) => {
  const column = columns[name];
  return column.of ? column.texts[column.of[row]] : column[row];
};
const rowOf = new Map(columns.stream.map((stream, row) => [stream, row]));
const blocks = [...document.querySelectorAll("script.block")];
const opened = new Map();

async function ladder(stream) {
  const place = data.ladders[stream];
  if (place === undefined) return null;
  if (!opened.has(place)) opened.set(place, unpacked(blocks[place].textContent));
  // its gradients have names of their own: the picture may stand in the page once more
  const picture = (await opened.get(place))[stream].replaceAll(`id="l${stream}-`, `id="o${stream}-`).replaceAll(`url(#l${stream}-`, `url(#o${stream}-`);
  return document.importNode(new DOMParser().parseFromString(picture, "image/svg+xml").documentElement, true);
}

// The rows of a ladder as a table: the picture has them in words.
function ladderTable(picture) {
  const head = ["time", "frame", "direction", "segment", "states entered", "findings"];
  const body = [...picture.querySelectorAll("g.row > title")].map((title) =>
    element("tr", {}, ...title.textContent.split("\n").map((cell) => element("td", {}, cell))));
  return element("details", {}, element("summary", {}, "The same as a table"),
    element("div", { class: "scrolls" }, element("table", { class: "plain" },
      element("thead", {}, element("tr", {}, ...head.map((cell) => element("th", { scope: "col" }, cell)))),
      element("tbody", {}, ...body))));
}

function findingsOf(stream) {
  return data.findings.flatMap((group) =>
    group.rows.filter((row) => row[0] === stream).map((row) => element("div", { class: `found ${group.severity}` },
      element("p", {}, element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[group.severity]),
        ` ${group.severity} `, element("b", {}, group.code), ` ${group.name}`),
      element("p", {}, row[5], " ", element("span", { class: "faint" }, `[${row[4]} confidence; ${data.frames} ${row[3]}]`)),
      explained(group.code))));
}

function facts(stream) {
  const row = rowOf.get(stream);
  if (row === undefined) return [];
  const says = [
    ["began", `${date(at("first_epoch", row))} UTC, ${offset(at("first_epoch", row))} s after the first packet`],
    ["lasted", length(at("duration_s", row))],
    ["opening", at("handshake", row)],
    ["ended", `${at("teardown", row)}${at("closed_by", row) ? `, closed first by the ${at("closed_by", row)}` : ""}`],
    ["last states", `client ${at("client_state", row)}, server ${at("server_state", row)}`],
    ["bytes", `client ${count(at("client_bytes", row))}, server ${count(at("server_bytes", row))}`],
    ["the capture shows", at("observability", row)],
  ];
  return [element("dl", {}, ...says.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]))];
}

async function openConnection(stream, scroll = true) {
  const place = byId("opened"), row = rowOf.get(stream);
  const ends = row === undefined ? "" : ["client", "server"].map((side) =>
    endpoint(at(`${side}_ip`, row), at(`${side}_port`, row))).join(" → ");
  const asks = (name) => data.commands[name].replace("STREAM", stream);
  const picture = element("figure", { class: "ladder" });
  const shown = ladder(stream).then((made) => {
    if (made) picture.append(made, ladderTable(made));
    else picture.append(element("p", {}, "The ladder of this connection is not in the page. To have it:"), copied(asks("svg")));
  }, (error) => picture.append(element("p", {}, `The ladder cannot be shown: ${error.message}. To have it:`), copied(asks("svg"))));
  const filter = data.several && row !== undefined
    ? ["client", "server"].map((side) => `${at(`${side}_ip`, row).includes(":") ? "ipv6" : "ip"}.addr == ${at(`${side}_ip`, row)} && tcp.port == ${at(`${side}_port`, row)}`).join(" && ")
    : `tcp.stream == ${stream}`;
  const found = findingsOf(stream);
  const coded = row === undefined ? "" : at("findings", row);
  if (!found.length && coded) found.push(element("p", {}, `Found: ${coded.replaceAll(";", ", ")}.`));
  place.replaceChildren(
    element("h3", {}, `Connection ${stream} `, element("span", { class: "ends" }, ends)),
    element("div", { class: "side" }, picture, element("div", {}, ...facts(stream),
      element("p", {}, "Wireshark: ", copied(filter)), element("p", {}, "Terminal: ", copied(asks("timeline"))),
      ...(found.length ? found : [element("p", {}, "No finding.")]))));
  await shown;
  if (scroll) {
    byId("connection").scrollIntoView({ block: "start" });
    byId("connection").focus({ preventScroll: true });
  }
  return picture.querySelector("svg") !== null;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-stream]");
  if (!link) return;
  event.preventDefault();
  openConnection(Number(link.dataset.stream));
});

const chip = (stream) => element("a", { class: "chip", href: "#connection", "data-stream": String(stream) }, String(stream));
