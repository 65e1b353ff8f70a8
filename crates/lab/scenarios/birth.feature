Feature: A birth
  A child is born and entered in the register of its municipality, with a record code out of the
  municipality's own pool (法30条の2). The communication server tells the prefecture, the prefecture
  tells the center, and an agency that may ask finds the child.

  Scenario: A newborn child is known in all three tiers
    Given "佐藤 花子" is born in 国立市
    Then the notice is taken
    And "佐藤 花子" is current in 国立市
    When the clerk of 日本年金機構 asks about "佐藤 花子" by name and date of birth for affair 1-74-1, case "出生-1"
    Then the answer is exactly "佐藤 花子"
    And the answer says the reason born
    And the ledger of センター holds 1 provision of case "出生-1"
    And "佐藤 花子" sees 1 provision to 日本年金機構 of case "出生-1"
    And the file that "佐藤 花子" takes home verifies offline
    And the tiers agree within 20 s

  Scenario: A notice that is sent twice is applied once
    Given "鈴木 一郎" is born in 三鷹市
    When the same notice is sent once more
    Then the notice is known already
    And "鈴木 一郎" is current in 三鷹市
    And the tiers agree within 20 s
