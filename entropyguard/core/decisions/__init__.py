"""What the stages that decide by pairs share: a stream of pairs, the rule of stars, writing what was decided."""
