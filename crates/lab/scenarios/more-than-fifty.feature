Feature: More than fifty
  At most fifty persons are provided in one answer (S1: 照会条件の限定). When more match, nobody is
  provided, and the refusal does not say how many there were: a number would already be an answer.

  Scenario: A dormitory of people whose names begin alike
    Given "寮の人々" live in one dormitory, and more than fifty of their names begin alike
    When the clerk of 日本年金機構 asks about "寮の人々" by first character and address for affair 1-74-1, case "多数-1"
    Then it is refused by rule more-than-50
    And nothing is shown
    And the ledger of センター holds 1 refusal of case "多数-1"
