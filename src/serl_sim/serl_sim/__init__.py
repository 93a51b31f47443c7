"""The tasks in MuJoCo as Gymnasium environments, with scripted demonstrators."""
