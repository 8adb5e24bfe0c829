// Not run on a Mac yet.

#import <Foundation/Foundation.h>
#import <ServiceManagement/ServiceManagement.h>

#include "core/base/log.h"
#include "projects/dash_window/launch_at_login.h"

namespace toolkit::dash {

bool set_login_item(bool wanted) {
  // The service starts bundles, not bare programs.
  if (!NSBundle.mainBundle.bundleIdentifier) return false;
  if (@available(macOS 13.0, *)) {
    SMAppService* service = SMAppService.mainAppService;
    NSError* error = nil;
    const bool done = wanted ? [service registerAndReturnError:&error]
                             : [service unregisterAndReturnError:&error];
    if (!done) log_warning("login item: {}", error.localizedDescription.UTF8String);
    return done;
  }
  return false;
}

}  // namespace toolkit::dash
