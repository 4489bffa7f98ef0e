"use strict";
// Everything here also works in a sandboxed frame: no storage, no network, no navigation.
function show(chart) {
  const spec = JSON.parse(document.getElementById(chart.dataset.spec).textContent);
  const cell = Number(chart.dataset.cell);
  if (cell) spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((chart.clientWidth + 20) / (cell + 65))));
  if (chart.dataset.columns === String(spec.columns || "single")) return;
  chart.dataset.columns = String(spec.columns || "single");
  vegaEmbed(chart, spec, { actions: false, renderer: "svg" }).catch((error) => {
    chart.textContent = "This figure could not be drawn: " + error.message;
  });
}
function copy(button) {
  const code = button.parentNode.querySelector("code");
  const range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  button.textContent = document.execCommand("copy") ? "copied" : "Ctrl-C";
}
const charts = document.querySelectorAll(".chart");
const showAll = () => charts.forEach(show);
let waiting;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(showAll, 200); });
document.querySelectorAll("pre.copy button").forEach((button) => button.addEventListener("click", () => copy(button)));
showAll();
