#pragma once

namespace toolkit::model_store::ollama {

/// A key of no account, made by ssh-keygen for tests.
inline constexpr const char* kTestingKey =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACB07CcBvNh1HPxUxl8yz/0gTetLwlnRwBSfbCzSZVLSdwAAAIjxAnC78QJw\n"
    "uwAAAAtzc2gtZWQyNTUxOQAAACB07CcBvNh1HPxUxl8yz/0gTetLwlnRwBSfbCzSZVLSdw\n"
    "AAAEDbnoj5KtswZCf+24LBH8pwcxYxS+zCTUrwlYDkaM33tXTsJwG82HUc/FTGXzLP/SBN\n"
    "60vCWdHAFJ9sLNJlUtJ3AAAAAAECAwQF\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

}  // namespace toolkit::model_store::ollama
