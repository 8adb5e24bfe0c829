#include "projects/dash_window/preferences_window.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QEvent>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/platform/process.h"
#include "projects/dash_window/card.h"
#include "projects/dash_window/launch_at_login.h"

namespace toolkit::dash {

namespace {

constexpr int kMargin = 12, kIntervalStep = 500;

/// The unit at the end of a preference's name and how a box shows it.
constexpr std::pair<const char*, const char*> kUnits[] = {
    {"-interval", " ms"}, {"-days", " days"}, {"-percent", " %"}, {"-gb", " GB"}};

QString unit_of(const std::string& name) {
  for (const auto& [ending, unit] : kUnits)
    if (name.ends_with(ending)) return unit;
  return "";
}

/// "Savings alert" of "savings-alert-gb".
QString shown_name(const std::string& name) {
  QString text = QString::fromStdString(name);
  for (const char* ending : {"-days", "-percent", "-gb"})
    if (text.endsWith(ending)) text.chop(static_cast<int>(std::strlen(ending)));
  text.replace('-', ' ');
  text[0] = text[0].toUpper();
  return text;
}

/// Turning the wheel over a long form scrolls it and changes no value on the way.
class WheelScrolls : public QObject {
 public:
  using QObject::QObject;
  bool eventFilter(QObject* watched, QEvent* event) override {
    const auto* widget = qobject_cast<QWidget*>(watched);
    if (event->type() != QEvent::Wheel || !widget || widget->hasFocus()) return false;
    event->ignore();
    return true;
  }
};

QString joined(const std::vector<std::string>& items) {
  QStringList list;
  for (const std::string& item : items) list << QString::fromStdString(item);
  return list.join(", ");
}

int bounded(double value, int otherwise) {
  return std::abs(value) < 1e9 ? static_cast<int>(value) : otherwise;
}

}  // namespace

PreferencesWindow::PreferencesWindow(const Theme& theme, std::function<void()> saved)
    : saved_(std::move(saved)) {
  setWindowTitle("Preferences - mlx-dash");
  resize(600, 720);
  QString trouble;
  try {
    preferences_ = monitor::load_preferences();
  } catch (const Error& error) {
    trouble = error.what();
  }
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setWidget(form(theme));
  note_ = make_label("note", theme.text);
  note_->setText(trouble);
  auto* button = new QPushButton("Save");
  button->setObjectName("save");
  connect(button, &QPushButton::clicked, this, [this] {
    const QString wrong = save();
    note_->setText(wrong.isEmpty() ? QString("Saved.") : wrong);
  });
  auto* bottom = new QHBoxLayout;
  bottom->addWidget(note_, 1);
  bottom->addWidget(button);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(kMargin, kMargin, kMargin, kMargin);
  layout->addWidget(area, 1);
  layout->addLayout(bottom);
}

QWidget* PreferencesWindow::form(const Theme& theme) {
  auto* content = new QWidget;
  auto* rows = new QFormLayout(content);
  rows->setRowWrapPolicy(QFormLayout::WrapLongRows);
  rows->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
  rows->setVerticalSpacing(2);
  rows->setContentsMargins(kMargin, kMargin, kMargin, kMargin);
  auto* wheel_scrolls = new WheelScrolls(this);
  for (const Field& field : monitor::describe(preferences_)) {
    QWidget* widget = editor(field);
    widget->setObjectName(QString::fromStdString(field.name));
    widget->setFocusPolicy(Qt::StrongFocus);
    widget->installEventFilter(wheel_scrolls);
    QLabel* help = make_label("", theme.faint, 0.9);
    help->setText(QString::fromStdString(field.help));
    help->setContentsMargins(0, 0, 0, kMargin / 2);
    rows->addRow(shown_name(field.name), widget);
    rows->addRow("", help);
  }
  return content;
}

QWidget* PreferencesWindow::editor(const Field& field) {
  if (const auto value = std::get_if<bool*>(&field.target)) {
    auto* box = new QCheckBox;
    box->setChecked(**value);
    return box;
  }
  if (const auto value = std::get_if<int*>(&field.target)) {
    auto* box = new QSpinBox;
    box->setRange(bounded(field.minimum, 0), bounded(field.maximum, 1'000'000));
    box->setSuffix(unit_of(field.name));
    if (field.name.ends_with("-interval")) box->setSingleStep(kIntervalStep);
    box->setValue(**value);
    return box;
  }
  if (const auto value = std::get_if<double*>(&field.target)) {
    auto* box = new QDoubleSpinBox;
    box->setRange(std::max(field.minimum, -1e9), std::min(field.maximum, 1e9));
    box->setDecimals(1);
    box->setSuffix(unit_of(field.name));
    box->setValue(**value);
    return box;
  }
  if (const auto value = std::get_if<std::vector<std::string>*>(&field.target))
    return new QLineEdit(joined(**value));
  const std::string& text = **std::get_if<std::string*>(&field.target);
  if (field.choices.empty()) return new QLineEdit(QString::fromStdString(text));
  auto* box = new QComboBox;
  for (const std::string& choice : field.choices) box->addItem(QString::fromStdString(choice));
  box->setCurrentText(QString::fromStdString(text));
  return box;
}

std::vector<std::string> PreferencesWindow::values_of(const Field& field) const {
  const auto* widget = findChild<QWidget*>(QString::fromStdString(field.name));
  QString text;
  if (const auto* box = qobject_cast<const QCheckBox*>(widget))
    text = box->isChecked() ? "true" : "false";
  else if (const auto* whole = qobject_cast<const QSpinBox*>(widget))
    text = QString::number(whole->value());
  else if (const auto* real = qobject_cast<const QDoubleSpinBox*>(widget))
    text = QString::number(real->value());
  else if (const auto* choice = qobject_cast<const QComboBox*>(widget))
    text = choice->currentText();
  else if (const auto* line = qobject_cast<const QLineEdit*>(widget))
    text = line->text().trimmed();
  return {text.remove(' ').toStdString()};
}

QString PreferencesWindow::save() {
  try {
    monitor::Preferences before = preferences_;
    for (const Field& field : monitor::describe(preferences_)) {
      const std::string old = fields_to_json({field});
      const std::vector<std::string> values = values_of(field);
      set_field(field, values, field.name);
      if (fields_to_json({field}) != old) monitor::save_preference(field.name, values);
    }
    if (preferences_.launch_at_login != before.launch_at_login)
      set_launch_at_login(preferences_.launch_at_login, platform::own_program());
    if (saved_) saved_();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace toolkit::dash
