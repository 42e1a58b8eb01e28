"""Words that deny: a text that has one says something else than a text that lacks it."""

NEGATIONS = frozenset(
    {
        # English
        *(
            "no",
            "not",
            "nor",
            "none",
            "never",
            "neither",
            "nobody",
            "nothing",
            "nowhere",
            "without",
            "cannot",
            "hardly",
        ),
        *("dont", "doesnt", "didnt", "cant", "couldnt", "wont", "wouldnt", "shouldnt", "isnt", "arent", "wasnt"),
        *("werent", "hasnt", "havent", "hadnt", "mustnt", "neednt", "aint", "except", "unless", "non"),
        # Polish
        *(
            "nie",
            "nigdy",
            "nikt",
            "nic",
            "niczego",
            "nikogo",
            "żaden",
            "żadna",
            "żadne",
            "żadnej",
            "żadnego",
            "bez",
            "ani",
        ),
        # German, Dutch
        *("nicht", "kein", "keine", "keinen", "keiner", "keinem", "niemals", "nichts", "niemand", "ohne", "weder"),
        *("niet", "geen", "nooit", "niets", "zonder"),
        # French, Spanish, Portuguese, Italian
        *("ne", "pas", "jamais", "rien", "aucun", "aucune", "personne", "sans", "ni"),
        *("nunca", "jamás", "nada", "nadie", "ningún", "ninguno", "ninguna", "sin", "tampoco"),
        *("não", "ninguém", "nenhum", "nenhuma", "sem", "nem", "non", "niente", "nessuno", "nessuna", "senza"),
        # Swedish, Danish, Norwegian, Finnish
        *("inte", "aldrig", "ingen", "inget", "inga", "utan", "ikke", "ikkje", "intet", "uden", "uten"),
        *("ei", "emme", "ette", "eivät", "eikä", "älä", "ilman"),
        # Czech, Russian, Ukrainian, Turkish
        *("není", "nikdy", "nikdo", "žádný", "не", "нет", "ни", "никогда", "никто", "ничего", "без"),
        *("ні", "немає", "ніколи", "ніхто", "değil", "yok", "hiç", "asla"),
        # Chinese, Japanese (each character is a word)
        *"不没沒无無未非否勿莫別别",
    }
)
"""Of the languages named here, without apostrophes, as `words` has them."""
