// Declarations for cross-compiling only; see README.md.
#pragma once

#include <Foundation/Foundation.h>

typedef NSUInteger NSEventType;
typedef NSUInteger NSEventMask;
typedef NSUInteger NSEventModifierFlags;
enum : NSEventType { NSEventTypeRightMouseUp = 4 };
enum : NSEventMask { NSEventMaskLeftMouseUp = 1 << 2, NSEventMaskRightMouseUp = 1 << 4 };
enum : NSEventModifierFlags { NSEventModifierFlagControl = 1 << 18 };
typedef CGFloat NSFontWeight;
extern const NSFontWeight NSFontWeightRegular;
static const CGFloat NSVariableStatusItemLength = -1;

@interface NSEvent : NSObject
@property(readonly) NSEventType type;
@property(readonly) NSEventModifierFlags modifierFlags;
@end

@interface NSApplication : NSObject
@property(readonly, strong) NSEvent* currentEvent;
@end
extern NSApplication* NSApp;

@interface NSFont : NSObject
+ (NSFont*)monospacedDigitSystemFontOfSize:(CGFloat)size weight:(NSFontWeight)weight;
@end

@interface NSImage : NSObject
+ (instancetype)imageWithSystemSymbolName:(NSString*)name accessibilityDescription:(NSString*)words;
@end

@interface NSMenuItem : NSObject
- (instancetype)initWithTitle:(NSString*)title action:(SEL)action keyEquivalent:(NSString*)key;
@property(weak) id target;
@end

@interface NSMenu : NSObject
- (void)addItem:(NSMenuItem*)item;
@end

@interface NSWindow : NSObject
@property(readonly) NSRect frame;
@end

@interface NSScreen : NSObject
@property(class, readonly, copy) NSArray<NSScreen*>* screens;
@property(readonly) NSRect frame;
@end

@interface NSStatusBarButton : NSObject
@property(readonly) NSWindow* window;
@property(copy) NSString* title;
@property(copy) NSString* toolTip;
@property(strong) NSImage* image;
@property(strong) NSFont* font;
@property(weak) id target;
@property SEL action;
- (NSInteger)sendActionOn:(NSEventMask)mask;
- (void)performClick:(id)sender;
@end

@interface NSStatusItem : NSObject
@property(readonly, strong) NSStatusBarButton* button;
@property(strong) NSMenu* menu;
@end

@interface NSStatusBar : NSObject
@property(class, readonly, strong) NSStatusBar* systemStatusBar;
- (NSStatusItem*)statusItemWithLength:(CGFloat)length;
- (void)removeStatusItem:(NSStatusItem*)item;
@end
