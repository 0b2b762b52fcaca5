// All findings by code and endpoint: what is inside is made when it is opened.
function endpointRows(group, name) {
  const rows = group.rows.filter((row) => row[1] === name), most = 100;
  const lines = rows.slice(0, most).map(([stream, , time, frames, sure, message]) => element("li", {},
    ...(stream === null ? [] : [chip(stream), " "]),
    ...(time === null ? [] : [element("span", { class: "faint" }, `${offset(time)} s `)]), message, " ",
    element("span", { class: "faint" }, `[${sure} confidence; ${data.frames} ${frames}]`)));
  if (rows.length > most) lines.push(element("li", {}, `and ${count(rows.length - most)} more in this page`));
  return element("ul", {}, ...lines);
}

function lazily(details, make) {
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(make());
  });
  return details;
}

function groupOf(group) {
  const named = new Set(group.endpoints.map(([, name]) => name));
  const others = [...new Set(group.rows.map((row) => row[1]).filter((name) => !named.has(name)))];
  const ends = [...group.endpoints.map(([role, name, number]) => [`${role} ${name}`, name, count(number)]),
    ...others.map((name) => [name || "no endpoint is blamed", name, ""])];
  const summary = element("summary", {}, element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[group.severity]), " ",
    element("b", {}, group.code), ` ${group.name} `, element("span", { class: `badge ${group.severity}` }, group.severity), " ",
    element("span", { class: "count" }, group.how_many));
  return lazily(element("details", { class: `group ${group.severity}` }, summary), () => element("div", { class: "inside" },
    element("p", {}, group.title), ...(group.advice ? [element("p", { class: "advice" }, group.advice)] : []), explained(group.code),
    ...ends.map(([said, name, number]) => lazily(element("details", {},
      element("summary", {}, said, " ", element("span", { class: "count" }, number))), () => endpointRows(group, name))),
    ...(group.others ? [element("p", { class: "faint" }, `and ${count(group.others)} more endpoints`)] : [])));
}

if (byId("groups")) {
  const total = data.findings.reduce((sum, group) => sum + group.count, 0);
  byId("all-words").textContent = data.told < total ? `${count(total)}; ${count(data.told)} are told in full here` : `${count(total)}`;
  byId("groups").append(...data.findings.map(groupOf));
  if (!data.findings.length) byId("groups").append(element("p", {}, "Nothing was found."));
}
addEventListener("beforeprint", () => document.querySelectorAll("details.card").forEach((card) => { card.open = true; }));
globalThis.teardown = { netstat, openConnection, countsAt, data };
document.documentElement.dataset.ready = "yes";
