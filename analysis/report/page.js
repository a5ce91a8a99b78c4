(() => {
  "use strict";
  const panels = JSON.parse(document.getElementById("panels").textContent);
  const form = document.getElementById("filters");
  const table = document.getElementById("cells");
  const rows = [...table.tBodies[0].rows];
  const ink = { labelColor: "currentColor", titleColor: "currentColor", titleFontWeight: 500, labelFontSize: 11, titleFontSize: 11 };
  const config = {
    background: null,
    font: "inherit",
    view: { stroke: null },
    axis: { ...ink, gridColor: "currentColor", gridOpacity: 0.13, domainColor: "currentColor", tickColor: "currentColor", domainOpacity: 0.5, tickOpacity: 0.5 },
    legend: { ...ink, symbolStrokeColor: "currentColor", gradientLength: 120 },
  };
  const chosen = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  const keep = (row, wanted) => Object.entries(wanted).every(([name, value]) => name === "text" || row[name] === undefined || row[name] === value);

  const shown = (panel, wanted) => panel.rows.filter((row) => keep(row, { ...panel.default, ...wanted }));
  const views = panels.map((panel) => {
    const place = document.getElementById(panel.id).querySelector(".plot");
    const spec = { ...panel.spec, config, datasets: { rows: shown(panel, chosen()) }, autosize: { type: "fit-x", contains: "padding" } };
    return vegaEmbed(place, spec, { renderer: "svg", actions: false, tooltip: { theme: "custom" } });
  });
  const draw = (wanted) => Promise.all(views.map(async (made, place) => {
    const own = shown(panels[place], wanted);
    const { view } = await made;
    document.getElementById(panels[place].id).classList.toggle("empty", !own.length);
    if (own.length) await view.data("rows", own).runAsync();
  }));

  const list = (wanted) => {
    const text = (wanted.text || "").toLowerCase();
    for (const row of rows) row.hidden = !(keep(row.dataset, wanted) && row.textContent.toLowerCase().includes(text));
    document.getElementById("count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} cells.`;
  };
  const apply = () => {
    const wanted = chosen();
    for (const button of document.querySelectorAll(".legend button")) button.setAttribute("aria-pressed", String(button.dataset.rope === wanted.rope));
    list(wanted);
    return draw(wanted);
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      if (!form.elements.rope) return;
      form.elements.rope.value = form.elements.rope.value === button.dataset.rope ? "" : button.dataset.rope;
      apply();
    });
  }
  const value = (row, column) => row.cells[column].dataset.sort;
  [...table.tHead.rows[0].cells].forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
    const numbers = rows.every((row) => value(row, column) !== "" && !isNaN(value(row, column)));
    const order = (a, b) => down * (numbers ? value(a, column) - value(b, column) : value(a, column).localeCompare(value(b, column)));
    table.tBodies[0].append(...rows.sort(order));
  }));
  apply().then(() => document.documentElement.setAttribute("data-drawn", String(panels.length)));
})();
