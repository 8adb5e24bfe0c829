#include <QApplication>
#include <QChart>
#include <QCheckBox>
#include <QLineSeries>
#include <QPushButton>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>
#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"
#include "core/model_store/utc_time.h"
#include "projects/dash_window/dash_application.h"
#include "projects/dash_window/icons.h"
#include "projects/dash_window/launch_at_login.h"
#include "projects/dash_window/tray_item.h"

namespace toolkit::dash {

namespace {

using testing::TestingFolder;

/// One application for the program; a scale set before it starts holds for all.
QApplication& application() {
  static int argc = 1;
  static char name[] = "test";
  static char* argv[] = {name, nullptr};
  if (!std::getenv("QT_QPA_PLATFORM")) ::setenv("QT_QPA_PLATFORM", DASH_PLATFORM, 1);
  // Never destroyed: after main its pointing devices would look for a list of Qt that is gone.
  static auto* made = new QApplication(argc, argv);
  return *made;
}

struct Home {
  TestingFolder folder;
  Home() {
    application();
    ::setenv("MLX_INFRASTRUCTURE_HOME", folder.path.c_str(), 1);
  }
  ~Home() { ::unsetenv("MLX_INFRASTRUCTURE_HOME"); }
};

/// Kept where MLX_DASH_PICTURES says.
void picture(QWidget& widget, const QString& name) {
  if (const char* folder = std::getenv("MLX_DASH_PICTURES"))
    widget.grab().save(QString("%1/%2.png").arg(folder, name));
}

monitor::Snapshot busy() {
  monitor::Snapshot snapshot{.time_s = 1'790'000'000, .clock_s = 100};
  snapshot.servers.push_back({.url = "s", .reachable = true});
  snapshot.servers[0].models.push_back({.name = "smollm2:135m",
                                        .parameters = "135M",
                                        .quantization = "Q4_1",
                                        .size_bytes = 300'000'000,
                                        .gpu_bytes = 300'000'000,
                                        .context_length = 4096});
  snapshot.running.push_back({.model = "smollm2:135m", .server = "s"});
  snapshot.speed = {.tokens_per_second = 41.26, .quality = monitor::Quality::kLive};
  snapshot.machine.gpus = {{.name = "G", .use_percent = 87}};
  snapshot.machine.temperatures.gpu_c = 61;
  snapshot.machine.memory = {.total_bytes = 16'000'000'000, .available_bytes = 600'000'000};
  snapshot.messages.push_back({"memory", monitor::Severity::kFault, "Memory is about to run out.",
                               "Take a smaller model."});
  return snapshot;
}

QString label(QWidget& window, const char* name) {
  auto* found = window.findChild<QLabel*>(name);
  REQUIRE(found);
  return found->text();
}

/// Every text 40 % longer, as German makes it.
void lengthen(QWidget& window) {
  const auto longer = [](const QString& text) {
    return text + QString(" x").repeated(static_cast<int>(text.size()) / 5 + 1);
  };
  for (QLabel* one : window.findChildren<QLabel*>())
    if (!one->text().isEmpty()) one->setText(longer(one->text()));
  for (QAbstractButton* one : window.findChildren<QAbstractButton*>())
    if (!one->text().isEmpty()) one->setText(longer(one->text()));
}

/// Labels and buttons that do not get the room their text takes.
QStringList clipped(QWidget& window) {
  window.show();
  window.layout()->activate();
  // As a window does whose content grows (Panel::show_snapshot).
  QSize size = window.size().expandedTo(window.minimumSizeHint());
  if (window.layout()->hasHeightForWidth())
    size.setHeight(std::max(size.height(), window.layout()->totalHeightForWidth(size.width())));
  window.resize(size);
  QTest::qWait(20);
  QStringList names;
  for (QWidget* one : window.findChildren<QWidget*>()) {
    const auto* text = qobject_cast<QLabel*>(one);
    const bool has_text =
        (text && !text->text().isEmpty()) || (qobject_cast<QPushButton*>(one) && one->isVisible());
    if (!has_text || !one->isVisible()) continue;
    const int needed =
        text && text->wordWrap() ? text->heightForWidth(one->width()) : one->sizeHint().height();
    const bool fits_across = (text && text->wordWrap()) || one->width() >= one->sizeHint().width();
    if (one->height() + 1 < needed || !fits_across)
      names << one->objectName() + ":" + one->metaObject()->className();
  }
  return names;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("the panel shows a busy machine in light and dark") {
  Home home;
  for (const char* appearance : {"light", "dark"}) {
    const Theme theme = theme_of(appearance, QPalette());
    CHECK(theme.is_dark == (std::string(appearance) == "dark"));
    apply(theme);
    Panel panel(theme, {}, {});
    panel.show();
    for (int second = 0; second < 60; ++second) {
      monitor::Snapshot snapshot = busy();
      snapshot.clock_s = second;
      snapshot.speed.tokens_per_second = 35 + second % 9;
      panel.show_snapshot(snapshot);
    }
    panel.show_snapshot(busy());
    CHECK(label(panel, "speed") == "41.3 tok/s");
    CHECK(label(panel, "quality") == "live");
    CHECK(label(panel, "model") == "smollm2:135m");
    CHECK(label(panel, "model_details") == "135M Q4_1, 300 MB, 100 % on the GPU, context 4096");
    CHECK(label(panel, "gpu") == "87 %");
    CHECK(label(panel, "temperature").contains("61"));
    CHECK(label(panel, "power") == "unknown");
    CHECK(label(panel, "messages") == "Memory is about to run out. Take a smaller model.");
    CHECK(panel.sparkline().count() > 50);
    // Words stand out from the ground they are on.
    const QColor ground = panel.palette().color(QPalette::Window);
    for (const QColor& ink : {theme.text, theme.faint, theme.good, theme.fault, theme.warning})
      CHECK(std::abs(ink.lightness() - ground.lightness()) > 60);
    picture(panel, QString("panel_%1").arg(appearance));
  }
}

TEST_CASE("the panel grows with what it has to say") {
  Home home;
  Panel panel(theme_of("light", QPalette()), {}, {});
  panel.show();
  panel.show_snapshot({});
  monitor::Snapshot wordy = busy();
  for (int count = 0; count < 6; ++count)
    wordy.messages.push_back({"m", monitor::Severity::kWarning,
                              "A message that goes on for longer than a line is wide.",
                              "And what to do about it, in as many words."});
  panel.show_snapshot(wordy);
  QTest::qWait(20);
  const auto* messages = panel.findChild<QLabel*>("messages");
  CHECK(messages->height() >= messages->heightForWidth(messages->width()));
}

TEST_CASE("the panel says what is unknown and that no server answers") {
  Home home;
  Panel panel(theme_of("light", QPalette()), {}, {});
  panel.show_snapshot({});
  CHECK(label(panel, "speed") == "no server");
  CHECK(label(panel, "model") == "no model loaded");
  for (const char* name : {"gpu", "temperature", "power", "memory"})
    CHECK(label(panel, name) == "unknown");
  monitor::Snapshot silent = busy();
  silent.speed = {};
  panel.show_snapshot(silent);
  CHECK(label(panel, "quality") == "speed unknown");
}

TEST_CASE("the panel's buttons do what they say") {
  Home home;
  std::string pressed;
  Panel panel(theme_of("light", QPalette()), {},
              {.benchmark = [&] { pressed += "b"; },
               .history = [&] { pressed += "h"; },
               .preferences = [&] { pressed += "p"; },
               .quit = [&] { pressed += "q"; }});
  panel.show();
  for (const char* name : {"benchmark", "history", "preferences", "quit"})
    QTest::mouseClick(panel.findChild<QPushButton*>(name), Qt::LeftButton);
  CHECK(pressed == "bhpq");
}

TEST_CASE("a benchmark runs in its window and is kept") {
  Home home;
  http::testing::LoopbackServer server([](const http::testing::Received& request) {
    http::testing::Answer answer{.body = R"({"models": [{"name": "m:1b", "size": 1000000000}]})"};
    if (request.target == "/api/version") answer.body = R"({"version": "1"})";
    if (request.target == "/api/chat")
      answer.body =
          "{\"message\":{\"content\":\"a\"},\"done\":true,\"eval_count\":40,\"eval_duration\":"
          "1000000000}\n";
    return answer;
  });
  const auto file = home.folder.path / "mlxdash.db";
  BenchmarkWindow window(theme_of("light", QPalette()),
                         {.benchmark_prompts = 3, .ollama_host = server.origin()}, file);
  window.show();
  REQUIRE(QTest::qWaitFor([&] { return window.findChild<QComboBox*>("model")->count() == 1; }));
  auto* run = window.findChild<QPushButton*>("run");
  QTest::mouseClick(run, Qt::LeftButton);
  CHECK(run->text() == "Stop");
  REQUIRE(QTest::qWaitFor([&] { return !window.is_running(); }, 10'000));
  CHECK(window.findChild<QTableWidget*>("prompts")->rowCount() == 3);
  CHECK(label(window, "speed") == "40.0 tok/s");
  CHECK(label(window, "energy") == "unknown");
  CHECK(window.findChild<QTableWidget*>("earlier")->rowCount() == 1);
  CHECK(monitor::History::open_to_read(file).benchmarks().size() == 1);
  picture(window, "benchmark");
}

TEST_CASE("a benchmark without a server says what to do") {
  Home home;
  BenchmarkWindow window(theme_of("light", QPalette()), {.ollama_host = "http://127.0.0.1:1"},
                         home.folder.path / "h.db");
  QTest::mouseClick(window.findChild<QPushButton*>("run"), Qt::LeftButton);
  REQUIRE(QTest::qWaitFor([&] { return !window.is_running(); }, 10'000));
  CHECK(label(window, "summary").contains("ollama serve"));
}

TEST_CASE("history charts and tables of a week and their export") {
  Home home;
  const auto file = home.folder.path / "mlxdash.db";
  {
    HistoryWindow empty(theme_of("light", QPalette()), file);
    CHECK(label(empty, "note").contains("Nothing recorded"));
  }
  const int64_t now_s = model_store::now_s();
  std::vector<monitor::Sample> samples;
  for (int64_t minute = 0; minute < 7 * 24 * 60; minute += 5)
    samples.push_back({.time_s = now_s - minute * 60,
                       .resolution_s = 60,
                       .model = minute % 2 == 0 ? "a" : "b",
                       .tokens_per_second = 30 + minute % 11,
                       .model_bytes = 2'000'000'000,
                       .memory_used_bytes = 8'000'000'000});
  std::vector<monitor::Session> sessions = {{.model_name = "a",
                                             .started_at_s = now_s - 4000,
                                             .ended_at_s = now_s - 400,
                                             .avg_tokens_per_sec = 33,
                                             .total_tokens = 5000}};
  monitor::History::open(file).write(samples, sessions);
  HistoryWindow window(theme_of("dark", QPalette()), file);
  window.show();
  auto* tabs = window.findChild<QTabWidget*>("tabs");
  auto* speed = qobject_cast<QChartView*>(tabs->widget(0));
  CHECK(speed->chart()->series().size() == 2);
  const auto* line = qobject_cast<QLineSeries*>(speed->chart()->series()[0]);
  REQUIRE(line);
  CHECK(line->count() > 200);
  CHECK(window.findChild<QTableWidget*>("sessions")->rowCount() == 1);
  CHECK(window.findChild<QTableWidget*>("sessions")->item(0, 1)->text() == "1:00:00");
  CHECK(window.findChild<QTableWidget*>("models")->rowCount() == 1);
  window.findChild<QComboBox*>("span")->setCurrentIndex(0);
  CHECK(qobject_cast<QLineSeries*>(speed->chart()->series()[0])->count() < 200);
  const auto written = home.folder.path / "out.csv";
  CHECK(window.export_to(QString::fromStdString(written.string())));
  CHECK(label(window, "note").contains("out.csv"));
  CHECK(!window.export_to("/nowhere/out.csv"));
  CHECK(testing::contains(read_file(written), "avg_tokens_per_sec"));
  for (int tab = 0; tab < tabs->count(); ++tab) {
    tabs->setCurrentIndex(tab);
    picture(window, QString("history_%1").arg(tab));
  }
}

TEST_CASE("preferences are shown and changed ones saved") {
  Home home;
  const auto file = home.folder.write("config.yaml", "mlxdash:\n  history_days: 14  # mine\n");
  ::setenv("XDG_CONFIG_HOME", home.folder.path.c_str(), 1);
  int saved = 0;
  PreferencesWindow window(theme_of("light", QPalette()), [&] { ++saved; });
  window.show();
  CHECK(window.findChild<QSpinBox*>("history-days")->value() == 14);
  window.findChild<QSpinBox*>("polling-interval")->setValue(2000);
  window.findChild<QCheckBox*>("launch-at-login")->setChecked(true);
  QTest::mouseClick(window.findChild<QPushButton*>("save"), Qt::LeftButton);
  CHECK(label(window, "note") == "Saved.");
  CHECK(saved == 1);
  const std::string text = read_file(file);
  CHECK(testing::contains(text, "polling_interval: 2000"));
  CHECK(testing::contains(text, "# mine"));
  CHECK(!testing::contains(text, "notifications"));
  CHECK(std::filesystem::exists(login_entry()));
  window.findChild<QCheckBox*>("launch-at-login")->setChecked(false);
  CHECK(window.save() == "");
  CHECK(!std::filesystem::exists(login_entry()));
  ::unsetenv("XDG_CONFIG_HOME");
  picture(window, "preferences");
}

TEST_CASE("launch at login goes through the system's list where there is one") {
  Home home;
  ::setenv("XDG_CONFIG_HOME", home.folder.path.c_str(), 1);
  std::string asked;
  const auto takes = [&](bool wanted) { return asked += wanted ? '+' : '-', true; };
  const auto refuses = [](bool) { return false; };
  set_launch_at_login(true, "/opt/mlx-dash", refuses);
  CHECK(std::filesystem::exists(login_entry()));
  set_launch_at_login(true, "/opt/mlx-dash", takes);
  CHECK(!std::filesystem::exists(login_entry()));  // nothing is started twice
  set_launch_at_login(false, "/opt/mlx-dash", takes);
  CHECK(asked == "+-");
  ::unsetenv("XDG_CONFIG_HOME");
}

#ifdef __linux__
TEST_CASE("the entry of the desktop session quotes a program's path") {
  CHECK(testing::contains(login_entry_text("/opt/a b/mlx-dash"),
                          "Exec=\"/opt/a b/mlx-dash\" window --hidden\n"));
  CHECK(testing::contains(login_entry_text("/a$b%c"), "Exec=\"/a\\\\$b%%c\" window"));
}
#endif

TEST_CASE("nothing is clipped in texts as long as German ones") {
  Home home;
  const Theme theme = theme_of("light", QPalette());
  Panel panel(theme, {}, {});
  panel.show_snapshot(busy());
  BenchmarkWindow benchmark(theme, {.ollama_host = "http://127.0.0.1:1"},
                            home.folder.path / "h.db");
  HistoryWindow history(theme, home.folder.path / "h.db");
  PreferencesWindow preferences(theme, nullptr);
  for (QWidget* window : {static_cast<QWidget*>(&panel), static_cast<QWidget*>(&benchmark),
                          static_cast<QWidget*>(&history), static_cast<QWidget*>(&preferences)}) {
    CHECK(clipped(*window).join(", ").toStdString() == "");
    lengthen(*window);
    CHECK(clipped(*window).join(", ").toStdString() == "");
  }
  picture(panel, "panel_long");
}

TEST_CASE("the tray's icon tells busy from idle from off and has a needle by the speed") {
  Home home;
  const auto pixels = [](const monitor::Snapshot& snapshot) {
    return tray_icon(snapshot, Qt::black).pixmap(22, 22).toImage();
  };
  monitor::Snapshot idle = busy();
  idle.running.clear();
  CHECK(pixels(busy()) != pixels(idle));
  CHECK(pixels(idle) != pixels({}));
  CHECK(needle(1) == 0);
  CHECK(needle(200) == doctest::Approx(1));
  CHECK(needle(20) > needle(5));
  CHECK(tray_icon(idle, Qt::white).isMask());
}

TEST_CASE("what a menu bar says: a text while something runs and else a symbol") {
  CHECK(tray_text(busy()) == TrayText{"41.3 tok/s", "", "41.3 tok/s  smollm2:135m"});
  monitor::Snapshot idle = busy();
  idle.running.clear();
  CHECK(tray_text(idle) == TrayText{"", "pause.circle", "idle  smollm2:135m"});
  CHECK(tray_text({}) == TrayText{"", "xmark.circle", "off"});
}

TEST_CASE("the panel opens at the tray item and stays on the screen") {
  const QRect screen(0, 0, 1000, 800);
  CHECK(beside_item({500, 0, 20, 20}, {300, 400}, screen) == QPoint(359, 20));
  CHECK(beside_item({980, 780, 20, 20}, {300, 400}, screen) == QPoint(699, 380));
  CHECK(beside_item({0, 0, 20, 20}, {2000, 400}, screen) == QPoint(0, 20));
}

TEST_CASE("the application with a tray item: hidden, opened by a click, warnings notified") {
  Home home;
  struct Told {
    TrayItem::Actions actions;
    int shown = 0;
    std::vector<std::string> words;
  } told;
  struct Recorded : TrayItem {
    explicit Recorded(Told& all) : told(all) {}
    void show(const monitor::Snapshot&) override { ++told.shown; }
    std::optional<Place> place() const override { return Place{30, 0, 20, 20}; }
    void notify(const std::string& words, bool) override { told.words.push_back(words); }
    Told& told;
  };
  DashApplication dash({.ollama_host = "http://127.0.0.1:1", .servers = {}}, true,
                       [&](const TrayItem::Actions& actions, const Theme&) {
                         told.actions = actions;
                         return std::make_unique<Recorded>(told);
                       });
  CHECK(dash.has_tray());
  CHECK(!dash.panel().isVisible());
  told.actions.toggle();
  CHECK(dash.panel().isVisible());
  told.actions.toggle();
  CHECK(!dash.panel().isVisible());
  REQUIRE(QTest::qWaitFor([&] { return !told.words.empty() && told.shown > 1; }, 8000));
  CHECK(testing::contains(told.words[0], "Ollama does not answer"));
  QTest::qWait(1200);
  CHECK(told.words.size() == 1);  // once for the same trouble
}

TEST_CASE("the whole application without a tray: the panel is there and says what is missing") {
  Home home;
  DashApplication dash({.ollama_host = "http://127.0.0.1:1", .servers = {}}, false);
  CHECK(!dash.has_tray());
  CHECK(dash.panel().isVisible());
  REQUIRE(QTest::qWaitFor([&] { return label(dash.panel(), "speed") == "no server"; }, 5000));
  REQUIRE(
      QTest::qWaitFor([&] { return label(dash.panel(), "messages").contains("Ollama"); }, 5000));
  QTest::mouseClick(dash.panel().findChild<QPushButton*>("preferences"), Qt::LeftButton);
  QTest::mouseClick(dash.panel().findChild<QPushButton*>("history"), Qt::LeftButton);
  QTest::mouseClick(dash.panel().findChild<QPushButton*>("benchmark"), Qt::LeftButton);
  CHECK(QApplication::topLevelWidgets().size() >= 4);
}

TEST_SUITE_END();

}  // namespace toolkit::dash
