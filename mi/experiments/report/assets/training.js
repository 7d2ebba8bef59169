/** Every job with its loss curve and first rendered rows, by setting and arm. */
function drawTraining(store) {
  const { jobs, arms } = store.about;
  if (!jobs.length) return [element("p", {}, "No model was trained here, or no training record is kept.")];
  const settings = [...new Set(jobs.map((job) => job.setting))];
  return settings.flatMap((setting) => [
    settings.length > 1 ? element("h2", {}, element("code", {}, setting)) : null,
    ...arms.map((arm) => drawArm(arm, jobs.filter((job) => job.arm === arm.name && job.setting === setting))),
  ]);
}

function drawArm(arm, jobs) {
  if (!jobs.length) return null;
  jobs = [...jobs].sort((a, b) => Number(a.seed) - Number(b.seed));
  const curves = jobs.map((job) =>
    element("figure", { class: "curve", id: `job-${job.id}` }, sparkline(job, arm.colour),
      element("figcaption", {}, `seed ${job.seed}, loss ${number(job.losses[0])} to ${number(job.losses.at(-1))}`,
        element("small", {}, `${job.id.slice(0, 8)}${job.n_rows == null ? "" : ` · ${grouped(job.n_rows)} rows`}`))));
  const withRows = jobs.find((job) => job.rows.length);
  const rows = (withRows?.rows ?? []).map((pieces) =>
    element("li", { class: "words" }, pieces.map(({ trained, text }) => element(trained ? "mark" : "span", {}, text))));
  return element("section", { class: "arm" },
    element("h3", {}, dotOf(arm.colour), arm.label),
    element("div", { class: "curves" }, curves),
    rows.length ? element("ol", { class: "rows" }, rows) : element("p", { class: "none" }, "no rendered rows were kept"));
}

/** A loss curve as a small picture, from 0 to the highest loss. */
function sparkline(job, colour) {
  const space = "http://www.w3.org/2000/svg", [width, height] = [160, 40];
  const svg = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "polyline");
  const highest = Math.max(...job.losses, 1e-9);
  const points = job.losses.map((loss, i) => `${((i / Math.max(1, job.losses.length - 1)) * width).toFixed(1)},${(height - (loss / highest) * (height - 2)).toFixed(1)}`);
  line.setAttribute("points", points.join(" "));
  line.style.setProperty("--c", colour);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Loss of seed ${job.seed}`);
  svg.append(line);
  return svg;
}
