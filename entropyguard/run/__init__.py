"""From a request to a published result, and what surrounds every stage."""
