// All connections of the page in a table of DataTables, with the filters of the command line.
const DataTable = globalThis.DataTable;
const sides = ["client", "server"];
const closeWait = (row) => Math.max(at("client_close_wait_s", row) ?? -1, at("server_close_wait_s", row) ?? -1);
const server = (row) => endpoint(at("server_ip", row), at("server_port", row));
const client = (row) => endpoint(at("client_ip", row), at("client_port", row));
const codesOf = (row) => at("findings", row).split(";").filter(Boolean);

const shown = [
  ["stream", (row) => at("stream", row), (value) => String(value), "number"],
  ["seconds", (row) => at("first_epoch", row), offset, "number"],
  ["client", client, (value) => value, ""],
  ["server", server, (value) => value, ""],
  ["lasted", (row) => at("duration_s", row), length, "number"],
  ["bytes →", (row) => at("client_bytes", row), count, "number"],
  ["bytes ←", (row) => at("server_bytes", row), count, "number"],
  ["ending", (row) => at("teardown", row), (value) => value, ""],
  ["closed first", (row) => at("closed_by", row), (value) => value, ""],
  ["CLOSE_WAIT", closeWait, (value) => (value < 0 ? "" : length(value)), "number"],
  ["findings", (row) => at("findings", row), (value) => value.replaceAll(";", " "), ""],
];

// Whether a connection has a word, or in a column a value: of numbers the same, of texts a part of them.
const short = { ending: ["teardown"], code: ["findings"], finding: ["findings"], state: ["client_state", "server_state"],
  host: ["client_ip", "server_ip"], port: ["client_port", "server_port"], closed: ["closed_by"] };
const texts = new Map();
function textOf(row) {
  if (!texts.has(row)) {
    const parts = Object.keys(columns).filter((name) => columns[name].texts).map((name) => at(name, row));
    texts.set(row, [client(row), server(row), at("stream", row), ...parts].join(" ").toLowerCase());
  }
  return texts.get(row);
}

function wordTest(word) {
  const out = word.startsWith("-") && word.length > 1, plain = out ? word.slice(1) : word;
  const parts = /^([a-z_0-9]+):(.+)$/i.exec(plain);
  const name = parts ? parts[1].toLowerCase() : "", value = parts ? parts[2].toLowerCase() : plain.toLowerCase();
  let test;
  if (parts && (name === "server" || name === "client")) test = (row) => (name === "server" ? server(row) : client(row)).toLowerCase().includes(value);
  else if (parts && (name in columns || name in short)) {
    const names = short[name] || [name];
    test = (row) => names.some((each) => (columns[each].texts ? at(each, row).toLowerCase().includes(value) : String(at(each, row)) === value));
  } else if (parts && !/^[0-9a-f:.[\]]+$/i.test(plain)) throw new Error(`there is no column ${name}`);
  else test = (row) => textOf(row).includes(value);
  return out ? (row) => !test(row) : test;
}

const chosen = { ending: "", code: "", server: "", state: "", words: [] };
const wanted = (row) =>
  (!chosen.ending || at("teardown", row) === chosen.ending) && (!chosen.code || codesOf(row).includes(chosen.code)) &&
  (!chosen.server || server(row) === chosen.server) &&
  (!chosen.state || sides.some((side) => at(`${side}_state`, row) === chosen.state)) && chosen.words.every((test) => test(row));

function options(select, values) {
  const counts = new Map();
  values.forEach((value) => counts.set(value, (counts.get(value) || 0) + 1));
  const sorted = [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1)).slice(0, 300);
  select.replaceChildren(element("option", { value: "" }, "all"),
    ...sorted.map(([value, number]) => element("option", { value }, `${value} (${count(number)})`)));
}

if (byId("table")) {
  const grave = Object.fromEntries(data.findings.map((group) => [group.code, Object.keys(SIGNS).indexOf(group.severity)]));
  const gravity = columns.stream.map((_, row) => Math.min(9, ...codesOf(row).map((code) => grave[code] ?? 9)));
  const rows = columns.stream.map((_, row) => row).sort((one, other) => gravity[one] - gravity[other] || one - other);
  options(byId("by-ending"), rows.map((row) => at("teardown", row)));
  options(byId("by-code"), rows.flatMap(codesOf));
  options(byId("by-server"), rows.map(server));
  options(byId("by-state"), rows.flatMap((row) => [...new Set(sides.map((side) => at(`${side}_state`, row)))]));
  const table = new DataTable("#table", {
    data: rows,
    columns: shown.map(([title, value, said, type], number) => ({
      title, type: type === "number" ? "num" : "string", className: type,
      data: null,
      render: (row, kind) => (kind === "display" ? "" : kind === "filter" ? "" : value(row)),
      createdCell: (cell, _, row) => {
        const text = said(value(row));
        cell.replaceChildren(...(number === 0 ? [chip(value(row))] : [text]));
      },
    })),
    order: [], pageLength: 25, lengthMenu: [25, 100, 500], deferRender: true, autoWidth: false, scrollX: false,
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging", bottom2Start: "pageLength" },
    language: { info: "_START_ to _END_ of _TOTAL_ connections", infoEmpty: "no connection", infoFiltered: "(of _MAX_ in this page)",
      zeroRecords: "No connection of this page fits.", lengthMenu: "_MENU_ on a page" },
  });
  table.search.fixed("chosen", (_, row) => wanted(row));
  const draw = () => {
    for (const name of ["ending", "code", "server", "state"]) chosen[name] = byId(`by-${name}`).value;
    byId("problem").textContent = "";
    try {
      chosen.words = byId("words").value.split(/\s+/).filter(Boolean).map(wordTest);
    } catch (error) {
      byId("problem").textContent = error.message;
    }
    table.draw();
  };
  byId("filters").addEventListener("input", draw);
  byId("filters").addEventListener("reset", () => setTimeout(draw));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("csv").addEventListener("click", () => {
    const names = Object.keys(columns), quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = table.rows({ search: "applied" }).data().toArray().map((row) => names.map((name) => quoted(String(at(name, row) ?? ""))).join(","));
    const link = element("a", { download: "connections.csv", href: URL.createObjectURL(new Blob([[names.join(","), ...lines].join("\n") + "\n"], { type: "text/csv" })) });
    link.click();
  });
  globalThis.teardownTable = table;
}
