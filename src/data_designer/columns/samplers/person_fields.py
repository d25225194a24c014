"""What managed person data say of a person, in the order in which it is said."""

PII_FIELDS = [
    *("uuid", "first_name", "middle_name", "last_name", "sex", "age", "marital_status", "postcode", "city", "district"),
    *("region", "country", "street_name", "street_number", "unit", "bachelors_field", "education_level", "occupation"),
    *("locale", "birth_date", "state", "email_address", "phone_number", "national_id"),
    *("ethnic_background", "industry", "preferred_english_name"),
    *("first_name_heritage", "name_heritage", "is_first_gen_immigrant", "household_type", "monthly_income_eur"),
    *("area", "blood_pressure_status", "blood_sugar_status", "bmi_status", "drinking_status"),
    *("economic_activity_status", "family_type", "housing_tenure", "housing_type", "income_bracket"),
    *("military_status", "smoking_status", "waist_status", "ethnicity", "country_of_birth", "disability"),
    *("migration_background", "employment_status", "job_position", "occupation_kldb", "last_occupation"),
    *("last_occupation_kldb", "kreis_code", "nationality", "race", "education_degree", "first_language"),
    *("second_language", "third_language", "zone", "religion"),
]
"""Who somebody is; several are those of one locale only."""
PERSONA_FIELDS = [
    *("persona", "detailed_persona", "professional_persona", "arts_persona", "culinary_persona", "finance_persona"),
    *("healthcare_persona", "sports_persona", "travel_persona", "career_goals_and_ambitions", "cultural_background"),
    *("hobbies_and_interests", "hobbies_and_interests_list", "skills_and_expertise", "skills_and_expertise_list"),
    *("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism", "aspects", "digital_skill"),
    *("family_persona", "religious_persona", "linguistic_persona", "religious_background", "linguistic_background"),
]
"""How somebody is, with `with_synthetic_personas`."""
REQUIRED_FIELDS = {"first_name", "last_name", "age", "locale"}
"""What everybody has."""
