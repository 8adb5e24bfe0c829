// Not run on a Mac yet. AppKit only; Qt runs the event loop that this item's clicks come from.

#import <AppKit/AppKit.h>
#import <UserNotifications/UserNotifications.h>

#include "projects/dash_window/tray_item.h"

namespace dash = toolkit::dash;

/// What AppKit calls at a click.
@interface MlxDashClicks : NSObject
@property(nonatomic) dash::TrayItem::Actions actions;
@property(nonatomic, strong) NSStatusItem* item;
@property(nonatomic, strong) NSMenu* menu;
@end

@implementation MlxDashClicks
- (void)clicked:(id)sender {
  const NSEvent* event = NSApp.currentEvent;
  const bool wants_menu = event.type == NSEventTypeRightMouseUp ||
                          (event.modifierFlags & NSEventModifierFlagControl) != 0;
  if (!wants_menu) {
    self.actions.toggle();
    return;
  }
  // An item that has a menu opens it at every click: it has one only for this click.
  self.item.menu = self.menu;
  [self.item.button performClick:nil];
  self.item.menu = nil;
}
- (void)benchmark:(id)sender {
  self.actions.benchmark();
}
- (void)history:(id)sender {
  self.actions.history();
}
- (void)preferences:(id)sender {
  self.actions.preferences();
}
- (void)quit:(id)sender {
  self.actions.quit();
}
@end

namespace toolkit::dash {

namespace {

NSString* text(const std::string& utf8) {
  return [NSString stringWithUTF8String:utf8.c_str()];
}

class StatusItem : public TrayItem {
 public:
  explicit StatusItem(const Actions& actions) : clicks_([[MlxDashClicks alloc] init]) {
    clicks_.actions = actions;
    clicks_.item = [NSStatusBar.systemStatusBar statusItemWithLength:NSVariableStatusItemLength];
    clicks_.menu = [[NSMenu alloc] init];
    add("Benchmark", @selector(benchmark:));
    add("History", @selector(history:));
    add("Preferences", @selector(preferences:));
    add("Quit", @selector(quit:));
    NSStatusBarButton* button = clicks_.item.button;
    button.target = clicks_;
    button.action = @selector(clicked:);
    // Digits of one width: the bar does not tremble.
    button.font = [NSFont monospacedDigitSystemFontOfSize:0 weight:NSFontWeightRegular];
    [button sendActionOn:NSEventMaskLeftMouseUp | NSEventMaskRightMouseUp];
    show({});
  }
  ~StatusItem() override { [NSStatusBar.systemStatusBar removeStatusItem:clicks_.item]; }

  void show(const monitor::Snapshot& snapshot) override {
    const TrayText now = tray_text(snapshot);
    if (now == shown_) return;
    shown_ = now;
    NSStatusBarButton* button = clicks_.item.button;
    button.title = text(now.title);
    button.image = now.symbol.empty() ? nil
                                      : [NSImage imageWithSystemSymbolName:text(now.symbol)
                                                  accessibilityDescription:text(now.tool_tip)];
    button.toolTip = text(now.tool_tip);
  }

  std::optional<Place> place() const override {
    const NSRect frame = clicks_.item.button.window.frame;
    // AppKit counts from the lower left of the first screen.
    const CGFloat height = NSScreen.screens.firstObject.frame.size.height;
    return Place{static_cast<int>(frame.origin.x),
                 static_cast<int>(height - frame.origin.y - frame.size.height),
                 static_cast<int>(frame.size.width), static_cast<int>(frame.size.height)};
  }

  void notify(const std::string& words, bool is_warning) override {
    // Programs outside a bundle have no notifications.
    if (!NSBundle.mainBundle.bundleIdentifier) return;
    UNMutableNotificationContent* content = [[UNMutableNotificationContent alloc] init];
    content.title = @"mlx-dash";
    content.body = text(words);
    if (is_warning) content.sound = UNNotificationSound.defaultSound;
    UNNotificationRequest* request =
        [UNNotificationRequest requestWithIdentifier:NSUUID.UUID.UUIDString
                                             content:content
                                             trigger:nil];
    UNUserNotificationCenter* center = UNUserNotificationCenter.currentNotificationCenter;
    [center requestAuthorizationWithOptions:UNAuthorizationOptionAlert | UNAuthorizationOptionSound
                          completionHandler:^(BOOL granted, NSError*) {
                            if (granted)
                              [center addNotificationRequest:request withCompletionHandler:nil];
                          }];
  }

 private:
  void add(const char* title, SEL action) {
    NSMenuItem* entry = [[NSMenuItem alloc] initWithTitle:text(title)
                                                   action:action
                                            keyEquivalent:@""];
    entry.target = clicks_;
    [clicks_.menu addItem:entry];
  }

  MlxDashClicks* clicks_;
  TrayText shown_;
};

}  // namespace

std::unique_ptr<TrayItem> make_tray_item(const TrayItem::Actions& actions, const Theme&) {
  return std::make_unique<StatusItem>(actions);
}

}  // namespace toolkit::dash
