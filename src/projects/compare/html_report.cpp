#include "projects/compare/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/report/inline_svg.h"
#include "core/report/svg_text.h"
#include "projects/compare/page.h"
#include "projects/compare/plots.h"

namespace toolkit::compare {

namespace {

using report::svg_text;

constexpr const char* kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root { --page: #f6f8fa; --card: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d9dee3; --good: #1a7f56; }
@media (prefers-color-scheme: dark) {
:root { --page: #010409; --card: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #2d333b; --good: #3fb98a; }
}
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 12px; }
.soft { color: var(--soft); margin: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 20px; }
.choice { border-left: 5px solid var(--good); margin-top: 20px; }
.choice strong { color: var(--good); font-size: 20px; } .choice ul { margin: 8px 0 0; padding-left: 20px; }
.wide { overflow-x: auto; padding: 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; font-weight: 600; }
tr.chosen td:first-child { color: var(--good); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 16px; }
.plots svg { width: 100%; height: auto; display: block; }
@media (max-width: 520px) { .plots { grid-template-columns: 1fr; } }
</style>
)";

std::string table_html(const Comparison& comparison) {
  const report::Table table = result_table(comparison);
  std::string html = "<div class=\"card wide\"><table>\n<tr>";
  for (const std::string& cell : table.header) html += "<th>" + svg_text(cell) + "</th>";
  html += "</tr>\n";
  for (const auto& row : table.rows) {
    html += row[0] == comparison.recommendation.method ? "<tr class=\"chosen\">" : "<tr>";
    for (const std::string& cell : row) html += "<td>" + svg_text(cell) + "</td>";
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string choice_html(const Comparison& comparison) {
  const Recommendation& choice = comparison.recommendation;
  std::string html = fmt::format(
      "<div class=\"card choice\">{}\n<ul>\n",
      choice.method.empty() ? "<strong>No recommendation</strong>"
                            : "Recommended: <strong>" + svg_text(choice.method) + "</strong>");
  for (const std::string& reason : choice.reasons) html += "<li>" + svg_text(reason) + "</li>\n";
  return html + "</ul></div>\n";
}

std::string settings_html(const Comparison& comparison) {
  std::string html =
      "<div class=\"card wide\"><table>\n<tr><th>method</th><th>settings</th></tr>\n";
  for (const std::string& method : comparison.config.methods) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : comparison.settings.at(method))
      if (name != "model" && name != "data") parts.push_back(name + " " + value);
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", svg_text(method),
                        svg_text(fmt::format("{}", fmt::join(parts, ", "))));
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string html_report(const Comparison& comparison) {
  const Config& config = comparison.config;
  const std::string title = svg_text("Methods compared: " + config.model + " on " + config.data);
  std::string html = kHead;
  html += fmt::format("<title>{0}</title>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n", title);
  html += fmt::format(
      "<p class=\"soft\">{} each, the same rows in the same order. Loss on the validation rows, "
      "which none has seen. Constraints: {}.</p>\n",
      config.steps > 0 ? fmt::format("{} steps", config.steps)
                       : fmt::format("{:g} epochs", config.epochs),
      config.constraint.empty() ? "none"
                                : svg_text(fmt::format("{}", fmt::join(config.constraint, ", "))));
  if (comparison.status == "interrupted")
    html += "<p class=\"soft\">Interrupted: not every method was measured.</p>\n";
  html += choice_html(comparison);
  html += "<h2>Measured</h2>\n" + table_html(comparison);
  html += "<h2>Plots</h2>\n<div class=\"plots\">\n";
  int number = 0;
  for (const std::string& svg : plots(comparison))
    html += "<div>" + report::inline_svg(svg, fmt::format("plot-{}", ++number)) + "</div>\n";
  html += "</div>\n<h2>Settings</h2>\n" + settings_html(comparison);
  html +=
      "<h2>How it was measured</h2>\n<p class=\"soft\">Every method is a run of finetune in a "
      "process of its own. Time is from its start to its end, loading and validation included; "
      "memory is the peak of its resident set. Intervals hold the mean of all such rows in 95 of "
      "100 cases; differences are taken row by row.</p>\n";
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace toolkit::compare
