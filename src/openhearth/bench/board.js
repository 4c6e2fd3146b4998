"use strict";
// Choices by which rows are shown; without scripts all of them are.
const rows = [...document.querySelectorAll("tr[data-class]")];
const bar = document.getElementById("filters");
const chosen = {};
function show() {
  for (const row of rows)
    row.hidden = Object.entries(chosen).some(([name, value]) => value && row.dataset[name] !== value);
  for (const section of document.querySelectorAll("section"))
    section.hidden = !section.querySelector("tr[data-class]:not([hidden])");
}
for (const name of ["class", "workload", "objective", "place"]) {
  const values = [...new Set(rows.map((row) => row.dataset[name]))].filter(Boolean).sort();
  if (values.length < 2) continue;
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  select.addEventListener("change", () => { chosen[name] = select.value; show(); });
  label.append(name + " ", select);
  bar.append(label);
}
