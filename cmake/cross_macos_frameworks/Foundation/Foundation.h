// Declarations for cross-compiling only; see README.md.
#pragma once

#include <objc/objc.h>

typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef double CGFloat;

typedef struct {
  CGFloat x, y;
} NSPoint;
typedef struct {
  CGFloat width, height;
} NSSize;
typedef struct {
  NSPoint origin;
  NSSize size;
} NSRect;

__attribute__((objc_root_class))
@interface NSObject
+ (instancetype)alloc;
- (instancetype)init;
@end

@interface NSString : NSObject
+ (instancetype)stringWithUTF8String:(const char*)text;
@property(readonly) const char* UTF8String;
@end

@interface NSConstantString : NSString
@end

@interface NSArray<Element> : NSObject
@property(readonly) Element firstObject;
@end

@interface NSError : NSObject
@property(readonly, copy) NSString* localizedDescription;
@end

@interface NSUUID : NSObject
@property(class, readonly) NSUUID* UUID;
@property(readonly, copy) NSString* UUIDString;
@end

@interface NSBundle : NSObject
@property(class, readonly, strong) NSBundle* mainBundle;
@property(readonly, copy) NSString* bundleIdentifier;
@end
