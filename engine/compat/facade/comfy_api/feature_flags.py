"""What the server and the editor tell each other that they can do."""

from engine.compat.v3.namespaces import (
    get_connection_feature,
    get_server_features,
    supports_feature,
)
