"""Those who subscribed to events: outgoing webhooks."""
