#include <fmt/format.h>

#include <QApplication>
#include <QTimer>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "projects/dash_window/command.h"
#include "projects/dash_window/dash_application.h"

namespace toolkit::dash {

namespace {

struct Settings {
  bool hidden = false;
  std::string pictures;
  double seconds = 5;
};

/// Qt ends the whole program when it finds no display; said here in better words.
void require_display() {
#ifdef __linux__
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"})
    if (const char* value = std::getenv(name); value && *value) return;
  fail(ErrorKind::kUnsupported,
       "no display here (DISPLAY and WAYLAND_DISPLAY are not set): `mlx-dash watch` works in the "
       "terminal");
#endif
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  require_display();
  const monitor::Preferences preferences = monitor::load_preferences();
  int argc = 1;
  char name[] = "mlx-dash";
  char* argv[] = {name, nullptr};
  QApplication application(argc, argv);
  QApplication::setApplicationName("mlx-dash");
  QApplication::setDesktopFileName("mlx-dash");
  DashApplication dash(preferences, settings.hidden);
  const InterruptGuard guard;
  QTimer interrupt_timer;
  QObject::connect(&interrupt_timer, &QTimer::timeout, [] {
    if (InterruptGuard::requested()) QApplication::quit();
  });
  interrupt_timer.start(250);
  if (!settings.pictures.empty()) {
    std::filesystem::create_directories(expanded_path(settings.pictures));
    dash.picture_all(expanded_path(settings.pictures).string(), settings.seconds);
  }
  QApplication::exec();
  if (!dash.history_ms()) return nullptr;
  if (!context.quiet)
    fmt::print("Pictures and an export in {}; a week of history read and drawn in {:.0f} ms.\n",
               settings.pictures, *dash.history_ms());
  return {{"pictures", settings.pictures}, {"history_ms", *dash.history_ms()}};
}

}  // namespace

cli::Command window_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "window",
          .summary = "the tray item with its windows (also without any command)",
          .examples = {"mlx-dash", "mlx-dash window --hidden"},
          .fields = {{.name = "hidden",
                      .target = &settings->hidden,
                      .help = "only the tray item, no window yet"},
                     {.name = "pictures",
                      .target = &settings->pictures,
                      .help = "write a picture of every window and an export into this folder, "
                              "then end"},
                     {.name = "seconds",
                      .target = &settings->seconds,
                      .help = "how long to look before --pictures",
                      .minimum = 0}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash
