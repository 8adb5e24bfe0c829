#include "projects/dash_window/panel.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <algorithm>

#include "core/files/disk_space.h"
#include "core/monitor/messages.h"
#include "projects/dash_window/shown_values.h"

namespace toolkit::dash {

namespace {

using namespace monitor;

constexpr int kWidth = 380, kMargin = 12;

QString text(const std::string& utf8) {
  return QString::fromStdString(utf8);
}

QString bytes(int64_t count) {
  return text(files::shown_bytes(static_cast<uint64_t>(std::max<int64_t>(0, count))));
}

QString speed_text(const Snapshot& snapshot) {
  const std::string state = short_speed(snapshot);
  if (state == "off") return "no server";
  return text(state);
}

QString quality_text(const Snapshot& snapshot) {
  if (snapshot.is_active()) {
    if (!snapshot.speed.tokens_per_second)
      return snapshot.running.front().reading_prompt ? "reading the prompt" : "speed unknown";
    return quality_name(snapshot.speed.quality);
  }
  if (!snapshot.last) return "";
  return QString("last answer %1 tok/s, %2")
      .arg(*snapshot.last->tokens_per_second, 0, 'f', 1)
      .arg(quality_name(snapshot.last->quality));
}

}  // namespace

QPoint beside_item(const QRect& item, const QSize& window, const QRect& screen) {
  const bool bar_is_above = item.center().y() < screen.center().y();
  const int x = item.center().x() - window.width() / 2;
  const int y = bar_is_above ? item.bottom() + 1 : item.top() - window.height();
  return {std::clamp(x, screen.left(), std::max(screen.left(), screen.right() - window.width())),
          std::clamp(y, screen.top(), std::max(screen.top(), screen.bottom() - window.height()))};
}

Panel::Panel(const Theme& theme, const Preferences& preferences, const Actions& actions)
    : theme_(theme), preferences_(preferences) {
  setWindowTitle("mlx-dash");
  setMinimumWidth(kWidth);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(kMargin, kMargin, kMargin, kMargin);
  layout->setSpacing(kMargin - 2);
  speed_ = make_label("speed", theme.text, 2.4, true);
  quality_ = make_label("quality", theme.faint);
  auto* head = new QVBoxLayout;
  head->setSpacing(0);
  head->addWidget(speed_);
  head->addWidget(quality_);
  layout->addLayout(head);
  layout->addWidget(sparkline_ = new Sparkline(theme));
  layout->addWidget(model_card());
  layout->addWidget(machine_card());
  message_card_ = new Card(theme);
  auto* message_layout = new QVBoxLayout(message_card_);
  message_layout->setContentsMargins(kMargin + 4, kMargin - 2, kMargin, kMargin - 2);
  message_layout->addWidget(messages_ = make_label("messages", theme.text));
  message_card_->hide();
  layout->addWidget(message_card_);
  layout->addStretch();
  add_buttons(layout, actions);
}

QWidget* Panel::model_card() {
  auto* card = new Card(theme_);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(kMargin, kMargin - 2, kMargin, kMargin - 2);
  layout->setSpacing(2);
  layout->addWidget(model_ = make_label("model", theme_.text, 1.1, true));
  layout->addWidget(model_details_ = make_label("model_details", theme_.faint));
  return card;
}

QWidget* Panel::machine_card() {
  auto* card = new Card(theme_);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(kMargin, kMargin - 2, kMargin, kMargin - 2);
  layout->setSpacing(5);
  gpu_ = row(layout, "GPU", "gpu");
  temperature_ = row(layout, "Temperature", "temperature");
  power_ = row(layout, "Power", "power");
  memory_ = row(layout, "Memory", "memory");
  layout->addWidget(memory_meter_ = new Meter(theme_));
  memory_meter_->hide();
  cache_ = row(layout, "mlx-cache", "cache");
  cache_->setText("...");
  return card;
}

void Panel::add_buttons(QVBoxLayout* layout, const Actions& actions) {
  auto* buttons = new QHBoxLayout;
  for (const auto& [name, action] :
       {std::pair{"Benchmark", actions.benchmark}, std::pair{"History", actions.history},
        std::pair{"Preferences", actions.preferences}, std::pair{"Quit", actions.quit}}) {
    auto* button = new QPushButton(name);
    button->setObjectName(QString(name).toLower());
    QObject::connect(button, &QPushButton::clicked, this, [call = action] {
      if (call) call();
    });
    buttons->addWidget(button);
  }
  layout->addLayout(buttons);
}

QLabel* Panel::row(QVBoxLayout* layout, const QString& name, const char* object_name) {
  auto* line = new QHBoxLayout;
  QLabel* title = make_label("", theme_.faint);
  title->setText(name);
  title->setWordWrap(false);
  title->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  QLabel* value = make_label(object_name, theme_.text);
  value->setAlignment(Qt::AlignRight | Qt::AlignTop);
  line->addWidget(title);
  line->addWidget(value, 1);
  layout->addLayout(line);
  return value;
}

/// What is unknown stands back.
void Panel::set_value(QLabel* label, const QString& words) {
  label->setText(words);
  set_color(label, words == kUnknown ? theme_.faint : theme_.text);
}

void Panel::show_snapshot(const Snapshot& snapshot) {
  speed_->setText(speed_text(snapshot));
  set_color(speed_, snapshot.is_active() ? theme_.good : theme_.text);
  quality_->setText(quality_text(snapshot));
  quality_->setVisible(!quality_->text().isEmpty());
  std::optional<double> value = snapshot.speed.tokens_per_second;
  if (short_speed(snapshot) == "idle") value = 0;
  sparkline_->add(snapshot.clock_s, value);
  show_model(snapshot);
  show_machine(snapshot.machine);
  show_messages(snapshot.messages);
  // Wrapped lines may need more room than the window got.
  layout()->activate();
  const int needed = layout()->totalHeightForWidth(width());
  if (height() < needed) resize(width(), needed);
}

void Panel::show_model(const Snapshot& snapshot) {
  const auto models = snapshot.models();
  model_details_->setVisible(!models.empty());
  model_->setText(models.empty() ? "no model loaded" : text(models[0].name));
  if (models.empty()) {
    model_details_->setText("");
    return;
  }
  const LoadedModel& model = models[0];
  QStringList parts;
  if (!model.parameters.empty()) parts << text(model.parameters + " " + model.quantization);
  parts << (model.size_bytes ? bytes(*model.size_bytes) : QString("memory unknown"));
  if (model.size_bytes && model.gpu_bytes && *model.size_bytes > 0)
    parts << QString("%1 % on the GPU")
                 .arg(100.0 * static_cast<double>(*model.gpu_bytes) /
                          static_cast<double>(*model.size_bytes),
                      0, 'f', 0);
  if (model.context_length) parts << QString("context %1").arg(*model.context_length);
  if (models.size() > 1) parts << QString("and %1 more").arg(models.size() - 1);
  model_details_->setText(parts.join(", "));
}

void Panel::show_machine(const MachineReading& machine) {
  set_value(gpu_, shown_or_unknown(machine.gpu_use_percent(), "%"));
  const auto celsius = machine.temperature_c();
  set_value(temperature_,
            celsius ? text(shown_temperature(*celsius, preferences_.temperature_unit)) : kUnknown);
  set_value(power_, shown_or_unknown(machine.total_power_w(), "W", 1));
  const platform::MemoryReading& memory = machine.memory;
  memory_meter_->setVisible(memory.total_bytes > 0);
  if (memory.total_bytes <= 0) {
    set_value(memory_, kUnknown);
    return;
  }
  set_value(memory_, bytes(memory.available_bytes) + " free of " + bytes(memory.total_bytes));
  const double used =
      1 - static_cast<double>(memory.available_bytes) / static_cast<double>(memory.total_bytes);
  const bool runs_out = memory_runs_out(memory, preferences_);
  if (runs_out) set_color(memory_, theme_.fault);
  memory_meter_->show_share(used, runs_out ? theme_.fault : theme_.line);
}

void Panel::show_cache(const CacheSummary& cache) {
  cache_->setText(text(shown(cache)));
}

void Panel::show_messages(const std::vector<Message>& messages) {
  QStringList lines;
  Severity worst = Severity::kHint;
  for (const Message& message : messages) {
    lines << text(message.text + " " + message.action);
    worst = std::max(worst, message.severity);
  }
  message_card_->setVisible(!lines.isEmpty());
  messages_->setText(lines.join("\n\n"));
  message_card_->set_edge(worst == Severity::kFault     ? theme_.fault
                          : worst == Severity::kWarning ? theme_.warning
                                                        : theme_.line);
}

}  // namespace toolkit::dash
