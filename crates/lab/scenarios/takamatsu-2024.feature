Feature: Takamatsu 2024: a program for one server where there were more (J3)
  Takamatsu, 2024-04-04. By public reports a program written for one server ran on a site with
  several (itmedia 2404/16/news171).

  The invariant it forces: nodes refuse to start or to serve when their configurations do not belong
  together. What exists today: one process per store, and no node under another one's configuration.
  What does not: nodes do not compare a digest of the country's configuration.

  Scenario: A second process on the same files does not start
    When a second process of municipality-132152 is started on the same files
    Then it fails
    And fsck finds municipality-132152 sound

  Scenario: A node with another node's configuration does not start
    When municipality-132152 is started with the configuration of municipality-132047
    Then it fails
    And fsck finds municipality-132152 sound

  Scenario: A terminal at the wrong server is not let in
    When a terminal of 三鷹市 knocks at the server of 国立市
    Then it fails

  @not-yet:one-configuration
  Scenario: Nodes compare a digest of the country's configuration
    Then there is a command "config compare"
