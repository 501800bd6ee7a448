"""Building blocks of networks under the names that plugins build their own networks from."""
