#include "projects/dash_window/panel.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <algorithm>

#include "core/files/disk_space.h"

namespace toolkit::dash {

namespace {

using namespace monitor;

QString text(const std::string& utf8) {
  return QString::fromStdString(utf8);
}

QString bytes(int64_t count) {
  return text(files::shown_bytes(static_cast<uint64_t>(std::max<int64_t>(0, count))));
}

QLabel* label(const char* object_name, const QColor& color, double scale = 1, bool bold = false) {
  auto* made = new QLabel;
  made->setObjectName(object_name);
  made->setWordWrap(true);
  made->setTextFormat(Qt::PlainText);
  QFont font = made->font();
  font.setPointSizeF(font.pointSizeF() * scale);
  font.setBold(bold);
  made->setFont(font);
  QPalette palette = made->palette();
  palette.setColor(QPalette::WindowText, color);
  made->setPalette(palette);
  return made;
}

void set_color(QLabel* label, const QColor& color) {
  QPalette palette = label->palette();
  palette.setColor(QPalette::WindowText, color);
  label->setPalette(palette);
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

QString shown_or_unknown(const std::optional<double>& value, const QString& unit, int digits) {
  return value ? QString::number(*value, 'f', digits) + " " + unit : QString("unknown");
}

Panel::Panel(const Theme& theme, const Preferences& preferences, const Actions& actions)
    : theme_(theme), preferences_(preferences) {
  setWindowTitle("mlx-dash");
  setMinimumWidth(340);
  auto* layout = new QVBoxLayout(this);
  layout->setSpacing(6);
  layout->addWidget(speed_ = label("speed", theme.text, 2.2, true));
  layout->addWidget(quality_ = label("quality", theme.faint));
  layout->addWidget(sparkline_ = new Sparkline(theme));
  layout->addWidget(model_ = label("model", theme.text, 1.1, true));
  layout->addWidget(model_details_ = label("model_details", theme.faint));
  gpu_ = row(layout, "GPU", "gpu");
  temperature_ = row(layout, "Temperature", "temperature");
  power_ = row(layout, "Power", "power");
  memory_ = row(layout, "Memory", "memory");
  cache_ = row(layout, "mlx-cache", "cache");
  cache_->setText("...");
  layout->addWidget(messages_ = label("messages", theme.fault));
  messages_->hide();
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
  layout->addStretch();
  layout->addLayout(buttons);
}

QLabel* Panel::row(QVBoxLayout* layout, const QString& name, const char* object_name) {
  auto* line = new QHBoxLayout;
  QLabel* title = label("", theme_.faint);
  title->setText(name);
  title->setWordWrap(false);
  title->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  QLabel* value = label(object_name, theme_.text);
  value->setAlignment(Qt::AlignRight | Qt::AlignTop);
  line->addWidget(title);
  line->addWidget(value, 1);
  layout->addLayout(line);
  return value;
}

void Panel::show_snapshot(const Snapshot& snapshot) {
  speed_->setText(speed_text(snapshot));
  set_color(speed_, snapshot.is_active() ? theme_.good : theme_.text);
  quality_->setText(quality_text(snapshot));
  const std::optional<double> value =
      snapshot.is_active() ? snapshot.speed.tokens_per_second : std::optional<double>(0);
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
  gpu_->setText(shown_or_unknown(machine.gpu_use_percent(), "%"));
  const auto celsius = machine.temperature_c();
  temperature_->setText(celsius ? text(shown_temperature(*celsius, preferences_.temperature_unit))
                                : "unknown");
  power_->setText(shown_or_unknown(machine.total_power_w(), "W", 1));
  if (machine.memory.total_bytes <= 0) {
    memory_->setText("unknown");
    return;
  }
  memory_->setText(bytes(machine.memory.available_bytes) + " free of " +
                   bytes(machine.memory.total_bytes));
  set_color(memory_, 100.0 * static_cast<double>(machine.memory.available_bytes) <
                             preferences_.low_memory_percent *
                                 static_cast<double>(machine.memory.total_bytes)
                         ? theme_.fault
                         : theme_.text);
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
  messages_->setVisible(!lines.isEmpty());
  messages_->setText(lines.join("\n\n"));
  set_color(messages_, worst == Severity::kFault ? theme_.fault : theme_.warning);
}

}  // namespace toolkit::dash
