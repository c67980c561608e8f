// Toggles and hover values. Without this script the page shows the minimum max-cosine with bands.
(() => {
  "use strict";
  const root = document.documentElement;
  const controls = document.getElementById("controls");
  controls.hidden = false;
  const contents = document.querySelector("#contents details");
  contents.open = matchMedia("(min-width: 1100px)").matches;

  let measure = "min_cosine";
  for (const input of controls.querySelectorAll("input[name=measure]")) {
    input.addEventListener("change", () => { root.dataset.measure = measure = input.value; });
  }
  const toggle = (id) => {
    const box = document.getElementById(id);
    if (!box) return; // the first page has no curves
    box.addEventListener("change", () => { root.dataset[id] = box.checked ? "on" : "off"; });
  };
  toggle("seeds");
  toggle("bands");
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  for (const chart of document.querySelectorAll(".chart")) {
    const source = chart.querySelector("script.hover");
    if (!source) continue;
    const data = JSON.parse(source.textContent);
    const values = Object.fromEntries(data.values);
    const svg = chart.querySelector("svg");
    const cursor = svg.querySelector(".cursor");
    const outputs = chart.querySelectorAll(".legend output");
    const last = data.epochs[data.epochs.length - 1] || 1;
    const place = (epoch) => data.left + epoch / last * (data.right - data.left);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const epoch = ((event.clientX - box.left) / box.width * data.width - data.left) / (data.right - data.left) * last;
      let nearest = 0;
      data.epochs.forEach((other, i) => {
        if (Math.abs(other - epoch) < Math.abs(data.epochs[nearest] - epoch)) nearest = i;
      });
      const x = place(data.epochs[nearest]);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.style.visibility = "visible";
      outputs.forEach((output, i) => {
        const value = values[measure][i][nearest];
        output.textContent = value === null ? "" : `${value.toFixed(3)} at ${data.epochs[nearest]}`;
      });
    });
    svg.addEventListener("pointerleave", () => {
      cursor.style.visibility = "hidden";
      outputs.forEach((output) => { output.textContent = ""; });
    });
  }
})();
