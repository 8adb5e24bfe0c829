# Debian packages by component: `cpack -G DEB` in the build folder, or scripts/package_deb.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # only what is in the package has to be built
install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/mlx-dash.desktop DESTINATION share/applications COMPONENT mlx_dash)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/linux/mlx-dash.svg DESTINATION share/icons/hicolor/scalable/apps
  COMPONENT mlx_dash)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/mlx-dash.1 ${CMAKE_SOURCE_DIR}/docs/man/mlx-diag.1 DESTINATION share/man/man1
  COMPONENT mlx_dash)

set(CPACK_PACKAGE_NAME mlx-dash)
set(CPACK_PACKAGE_VENDOR "EfficientAI-MLX-Toolkit")
set(CPACK_PACKAGE_CONTACT "EfficientAI-MLX-Toolkit")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Monitor of local language models: tokens per second, memory, GPU, temperature")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL mlx_dash)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_MLX_DASH_PACKAGE_NAME mlx-dash)
set(CPACK_DEBIAN_MLX_DASH_PACKAGE_SECTION utils)
include(CPack)
