# The law as a ros2_control controller, where ros2_control is installed.
find_package(controller_interface QUIET)
if(NOT controller_interface_FOUND)
  message(STATUS "ros2_control not found: building the law, model, tests and Python module without the controller plugin")
  return()
endif()

set(PLUGIN_DEPENDS
  controller_manager_msgs
  generate_parameter_library
  geometry_msgs
  hardware_interface
  pluginlib
  rclcpp
  rclcpp_lifecycle
  realtime_tools
  serl_msgs
  std_srvs
  urdfdom)
foreach(dependency IN LISTS PLUGIN_DEPENDS)
  find_package(${dependency} REQUIRED)
endforeach()

generate_parameter_library(cartesian_impedance_controller_parameters
  src/plugin/cartesian_impedance_controller_parameters.yaml
  src/plugin/parameter_validators.hpp)

add_library(cartesian_impedance_controller SHARED
  src/plugin/callbacks.cpp
  src/plugin/cartesian_impedance_controller.cpp
  src/plugin/control_loop.cpp
  src/plugin/settings.cpp
  src/plugin/state_publisher.cpp)
target_link_libraries(cartesian_impedance_controller
  PUBLIC
    cartesian_impedance_controller_parameters
    controller_interface::controller_interface
    hardware_interface::hardware_interface
    impedance_controller
    rclcpp::rclcpp
    rclcpp_lifecycle::rclcpp_lifecycle
    realtime_tools::realtime_tools
    ${controller_manager_msgs_TARGETS}
    ${geometry_msgs_TARGETS}
    ${serl_msgs_TARGETS}
    ${std_srvs_TARGETS}
  PRIVATE
    pluginlib::pluginlib
    urdfdom::urdfdom_model)
pluginlib_export_plugin_description_file(controller_interface cartesian_impedance_controller.xml)

install(TARGETS cartesian_impedance_controller cartesian_impedance_controller_parameters
  EXPORT export_${PROJECT_NAME}
  LIBRARY DESTINATION lib)
ament_export_dependencies(controller_interface ${PLUGIN_DEPENDS})
