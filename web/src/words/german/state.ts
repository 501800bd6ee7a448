/** German: messages, questions and offers about documents and runs. */
export const state: Readonly<Record<string, string>> = {
  "A range needs a start, an end and a step that is not 0.":
    "Ein Bereich braucht Anfang, Ende und eine Schrittweite ungleich 0.",
  "This range has {{found}} values; the maximum is {{most}}.":
    "Dieser Bereich hat {{found}} Werte; höchstens {{most}} sind möglich.",
  "This is not a saved workflow: it has no list of nodes.":
    "Das ist kein gespeicherter Workflow: Die Liste der Knoten fehlt.",
  "A node of this workflow has no id or no type.":
    "Ein Knoten dieses Workflows hat keine ID oder keinen Typ.",
  "There are no nodes to paste.": "Es gibt keine Knoten zum Einfügen.",
  "This node does not exist.": "Diesen Knoten gibt es nicht.",
  Connect: "Verbinden",
  embedding: "Embedding",
  "LoRA tag": "LoRA-Tag",
  "LoRA, adds a loader": "LoRA, fügt einen Lader hinzu",
  "LoRA, loaded already": "LoRA, schon geladen",
  "Load the LoRA {{name}}": "LoRA {{name}} laden",
  "The LoRA {{name}} is loaded by {{node}}": "Die LoRA {{name}} lädt {{node}}",
  "The LoRA {{name}} is loaded already": "Die LoRA {{name}} ist schon geladen",
  "No node here can load the LoRA {{name}}.": "Kein Knoten hier kann die LoRA {{name}} laden.",
  "{{node}} has no input that takes {{type}}.": "{{node}} hat keinen Eingang, der {{type}} nimmt.",
  "{{node}} has no output of {{type}}.": "{{node}} hat keinen Ausgang für {{type}}.",
  "These are connected already.": "Sie sind schon verbunden.",
  "Insert {{node}} between": "{{node}} dazwischensetzen",
  "Insert {{node}}": "{{node}} einfügen",
  "Change {{name}}": "{{name}} ändern",
  "Choose the fields of the app": "Felder der App wählen",
  "Move a field of the app": "Ein Feld der App verschieben",
  "Remove a field from the app": "Ein Feld aus der App nehmen",
  "Change a field of the app": "Ein Feld der App ändern",
  "Add a field to the app": "Ein Feld in die App setzen",
  "Choose a result of the app": "Ein Ergebnis der App wählen",
  Align: "Ausrichten",
  Distribute: "Verteilen",
  Unpin: "Lösen",
  "With {{values}} this cannot run: {{message}}":
    "Mit {{values}} kann das nicht laufen: {{message}}",
  "The blueprint {{name}} could not be read.": "Der Baustein {{name}} ist nicht lesbar.",
  "Save the blueprint as": "Baustein speichern als",
  "The clipboard contains no nodes.": "Die Zwischenablage enthält keine Knoten.",
  "The clipboard contains a whole workflow.": "Die Zwischenablage enthält einen ganzen Workflow.",
  "Open in a tab": "In einem Tab öffnen",
  Pasted: "Eingefügt",
  "Insert here": "Hier einfügen",
  Paste: "Einfügen",
  Duplicate: "Duplizieren",
  "Add a reroute point": "Wegpunkt setzen",
  "Remove the reroute points": "Wegpunkte entfernen",
  "Straighten the wire": "Verbindung begradigen",
  "Rename the portal": "Portal umbenennen",
  "Turn the portal into a wire": "Portal in eine Verbindung umwandeln",
  "{{node}} does not fit into this wire.": "{{node}} passt nicht in diese Verbindung.",
  "Pull out of the wires": "Aus den Verbindungen ziehen",
  "Move the wires": "Verbindungen verschieben",
  "Result {{id}}": "Ergebnis {{id}}",
  added: "hinzugefügt",
  removed: "entfernt",
  "mute or bypass changed": "Stummschalten oder Umgehen geändert",
  "Reset to {{value}}": "Zurücksetzen auf {{value}}",
  "Copy the value": "Wert kopieren",
  "Paste a value": "Wert einfügen",
  "Remove the wire and show the field": "Verbindung entfernen und das Feld zeigen",
  Unlink: "Verbindung lösen",
  "Convert to an input with a new value node": "In einen Eingang mit neuem Wert-Knoten umwandeln",
  "Convert {{name}} to an input": "{{name}} in einen Eingang umwandeln",
  nothing: "nichts",
  "The copied value does not fit {{name}}.": "Der kopierte Wert passt nicht zu {{name}}.",
  "Text to image": "Text zu Bild",
  "This image was made without a saved workflow.":
    "Dieses Bild entstand ohne gespeicherten Workflow.",
  "From {{job}}": "Aus {{job}}",
  "{{type}} is not installed: its plugin is missing.":
    "{{type}} ist nicht installiert: Die Erweiterung fehlt.",
  "Use {{name}}": "{{name}} verwenden",
  "Set to {{value}}": "Auf {{value}} setzen",
  "Connect {{node}}": "{{node}} verbinden",
  "Remove the wire": "Verbindung entfernen",
  "Remove its last wire": "Die letzte Verbindung davon entfernen",
  "Add {{node}}": "{{node}} hinzufügen",
  "Fit the group to its contents": "Rahmen an den Inhalt anpassen",
  "Add to the group": "Zum Rahmen hinzufügen",
  "Rename the group": "Rahmen umbenennen",
  "Remove the group": "Rahmen entfernen",
  "Delete the group and its contents": "Rahmen mit allem darin löschen",
  "{{count}} results deleted_one": "{{count}} Ergebnis gelöscht",
  "{{count}} results deleted_other": "{{count}} Ergebnisse gelöscht",
  "{{count}} results removed_one": "{{count}} Ergebnis entfernt",
  "{{count}} results removed_other": "{{count}} Ergebnisse entfernt",
  Yesterday: "Gestern",
  "{{name}} (copy)": "{{name}} (Kopie)",
  "Another window has taken over {{name}}. Your edits here continue in a copy.":
    "Ein anderes Fenster hat {{name}} übernommen. Hier geht es in einer Kopie weiter.",
  "{{name}} cannot contain itself. Add it one level further up.":
    "{{name}} kann sich nicht selbst enthalten. Bitte eine Ebene weiter oben einfügen.",
  "This node has no image yet. Choose one first.":
    "Dieser Knoten hat noch kein Bild. Zuerst eines wählen.",
  "{{name}} is larger than this server takes ({{size}}).":
    "{{name}} ist größer, als dieser Server annimmt ({{size}}).",
  "{{name}} could not be uploaded: {{reason}}": "{{name}} ließ sich nicht hochladen: {{reason}}",
  "This workflow uses nodes and files that are not on this server. They are kept in the workflow.":
    "Dieser Workflow verwendet Knoten und Dateien, die auf diesem Server fehlen. Sie bleiben im Workflow erhalten.",
  "This workflow has nodes that are not installed here. They are kept.":
    "Dieser Workflow hat Knoten, die hier nicht installiert sind. Sie bleiben erhalten.",
  "This workflow uses files that are not on this server.":
    "Dieser Workflow verwendet Dateien, die auf diesem Server fehlen.",
  "Show what is missing": "Fehlendes zeigen",
  "Show downloads": "Downloads zeigen",
  "{{name}} is downloaded.": "{{name}} ist heruntergeladen.",
  "{{name}} waits until {{host}} is allowed.": "{{name}} wartet, bis {{host}} erlaubt ist.",
  "{{name}} could not be downloaded: {{reason}}":
    "{{name}} ließ sich nicht herunterladen: {{reason}}",
  "Show where to get it": "Zeigen, woher sie kommt",
  "No node of this server loads {{kind}}.": "Kein Knoten dieses Servers lädt {{kind}}.",
  Move: "Verschieben",
  "Nothing has changed: all {{count}} nodes are cached_one": "Der eine Knoten ist im Cache",
  "Nothing has changed: all {{count}} nodes are cached_other":
    "Alle {{count}} Knoten sind im Cache",
  "{{count}} nodes will run_one": "{{count}} Knoten läuft",
  "{{count}} nodes will run_other": "{{count}} Knoten laufen",
  "{{run}} of {{count}} nodes will run, {{cached}} cached_one":
    "{{run}} von {{count}} Knoten läuft, {{cached}} im Cache",
  "{{run}} of {{count}} nodes will run, {{cached}} cached_other":
    "{{run}} von {{count}} Knoten laufen, {{cached}} im Cache",
  "first run: time unknown": "erster Lauf: Dauer unbekannt",
  "more than {{time}}": "mehr als {{time}}",
  "about {{time}}": "etwa {{time}}",
  "The results of the last run are still valid.": "Die Ergebnisse des letzten Laufs sind noch da.",
  "Estimated from past runs on this machine.": "Geschätzt nach früheren Läufen auf diesem Rechner.",
  "Estimated from past runs on this machine; {{count}} nodes have not run yet._one":
    "Geschätzt nach früheren Läufen auf diesem Rechner; ein Knoten lief noch nie.",
  "Estimated from past runs on this machine; {{count}} nodes have not run yet._other":
    "Geschätzt nach früheren Läufen auf diesem Rechner; {{count}} Knoten liefen noch nie.",
  "Nodes of a category": "Knoten einer Kategorie",
  "Nodes of a pack": "Knoten eines Pakets",
  "Nodes that take a type": "Knoten, die einen Typ annehmen",
  "Nodes that output a type": "Knoten, die einen Typ erzeugen",
  "the wire from {{node}} to {{name}}": "die Verbindung von {{node}} zu {{name}}",
  "the wire from {{name}} to {{node}}": "die Verbindung von {{name}} zu {{node}}",
  "the value of {{name}}": "der Wert von {{name}}",
  "Would be lost: {{things}}.": "Verloren ginge: {{things}}.",
  "Replace with {{node}}": "Durch {{node}} ersetzen",
  "None of these nodes is installed here, so they cannot be recreated.":
    "Keiner dieser Knoten ist hier installiert; sie lassen sich nicht neu anlegen.",
  Recreate: "Neu anlegen",
  "Swap the inputs": "Eingänge tauschen",
  "{{count}} workflows of a closed window are kept._one":
    "Ein Workflow eines geschlossenen Fensters ist gesichert.",
  "{{count}} workflows of a closed window are kept._other":
    "{{count}} Workflows eines geschlossenen Fensters sind gesichert.",
  "Open them here": "Hier öffnen",
  "Another window has {{count}} workflows open. This window has its own._one":
    "Ein anderes Fenster hat einen Workflow offen. Dieses hat seine eigenen.",
  "Another window has {{count}} workflows open. This window has its own._other":
    "Ein anderes Fenster hat {{count}} Workflows offen. Dieses hat seine eigenen.",
  "Some edits that were made while the server could not be reached belong to a document that no longer exists.":
    "Einige Änderungen aus der Zeit ohne Server gehören zu einem Dokument, das es nicht mehr gibt.",
  "{{name}} (this browser's edits)": "{{name}} (Änderungen dieses Browsers)",
  "{{name}} was edited in another browser while this one was disconnected. Your edits here are kept in a tab of their own: {{copyName}}.":
    "{{name}} ging in einem anderen Browser weiter, während der Server von hier aus nicht erreichbar war. Was hier geschah, ist in einem eigenen Tab gesichert: {{copyName}}.",
  "{{name}} is not a valid file name. Names must not begin or end with a dot or contain \\ or :, and have at most 250 characters.":
    "{{name}} ist kein gültiger Dateiname. Namen beginnen und enden ohne Punkt, enthalten weder \\ noch : und sind höchstens 250 Zeichen lang.",
  "There is no closed workflow to reopen.": "Es gibt keinen geschlossenen Workflow zum Öffnen.",
  "The documents open last time could not be read.": "Was zuletzt offen war, ist nicht lesbar.",
  "This server has no node that loads images.": "Dieser Server hat keinen Knoten, der Bilder lädt.",
  "This result had no prompt.": "Dieses Ergebnis hatte keinen Prompt.",
  "This result had no seed.": "Dieses Ergebnis hatte keinen Seed.",
  "Stopped before it finished.": "Vor dem Ende gestoppt.",
  "Failed; the server gave no reason.": "Fehlgeschlagen, ohne dass der Server einen Grund nennt.",
  "{{node}} failed: {{reason}}": "{{node}} ist fehlgeschlagen: {{reason}}",
  "Finished without a file to show.": "Fertig, ohne eine Datei zum Zeigen.",
  "Randomize the seed": "Seed würfeln",
  "The server cannot be reached, so nothing can run now. Your work is kept; run again when the server is back.":
    "Der Server ist nicht erreichbar, daher läuft jetzt nichts. Die Arbeit ist gesichert; sobald er wieder da ist, erneut ausführen.",
  "The last results could not be read.": "Die letzten Ergebnisse sind nicht lesbar.",
  "Save the workflow as": "Workflow speichern als",
  "There is a workflow called {{name}} already": "Einen Workflow namens {{name}} gibt es schon",
  "If you replace it, the current file is kept as a version.":
    "Beim Ersetzen bleibt die jetzige Datei als Version erhalten.",
  "Replace it": "Ersetzen",
  "Choose another name": "Anderen Namen wählen",
  "{{name}} (other version)": "{{name}} (andere Version)",
  "The server did not answer in time. Your work is kept; try again.":
    "Der Server hat nicht rechtzeitig geantwortet. Die Arbeit ist bewahrt; versuche es noch einmal.",
  "The file of {{name}} is damaged. {{parts}}": "Die Datei von {{name}} ist beschädigt. {{parts}}",
  "{{count}} nodes have an id of their own now._one": "{{count}} Knoten hat jetzt eine eigene ID.",
  "{{count}} nodes have an id of their own now._other":
    "{{count}} Knoten haben jetzt eine eigene ID.",
  "{{count}} wires were reconnected._one": "{{count}} Verbindung wurde neu geknüpft.",
  "{{count}} wires were reconnected._other": "{{count}} Verbindungen wurden neu geknüpft.",
  "{{count}} entries cannot be read; they stay in the file as they are._one":
    "{{count}} Eintrag ist nicht lesbar; er bleibt in der Datei, wie er ist.",
  "{{count}} entries cannot be read; they stay in the file as they are._other":
    "{{count}} Einträge sind nicht lesbar; sie bleiben in der Datei, wie sie sind.",
  "{{text}} is not a whole number.": "{{text}} ist keine ganze Zahl.",
  "{{text}} is not a number.": "{{text}} ist keine Zahl.",
  "{{text}} is neither yes nor no.": "{{text}} ist weder ja noch nein.",
  "{{name}} is not JSON.": "{{name}} ist kein JSON.",
  "{{name}} is nested too deeply to be a workflow.":
    "{{name}} ist zu tief verschachtelt für einen Workflow.",
  "{{name}} contains no workflow.": "{{name}} enthält keinen Workflow.",
  "{{name}} is an empty file.": "{{name}} ist eine leere Datei.",
  "{{name}} cannot be opened: the file is damaged or not a workflow. It was not changed.":
    "{{name}} lässt sich nicht öffnen: Die Datei ist beschädigt oder kein Workflow. Sie wurde nicht geändert.",
  "Show its versions": "Versionen zeigen",
  "{{input}} is missing: connect something to it, or give it a value.":
    "{{input}} fehlt: etwas anschließen oder einen Wert angeben.",
  "{{input}} is {{given}}; the maximum is {{limit}}.":
    "{{input}} ist {{given}}; höchstens {{limit}}.",
  "{{input}} is {{given}}; the minimum is {{limit}}.":
    "{{input}} ist {{given}}; mindestens {{limit}}.",
  "{{input}} cannot be read: {{given}}.": "{{input}} ist nicht lesbar: {{given}}.",
  "{{input}} takes {{wanted}}, but the wire supplies {{received}}.":
    "{{input}} nimmt {{wanted}} an, aber die Verbindung bringt {{received}}.",
  "another type": "einen anderen Typ",
  "The wires form a cycle. Remove one of them.":
    "Die Verbindungen laufen im Kreis. Eine davon entfernen.",
  "The wire into {{input}} has no source.": "Die Verbindung nach {{input}} kommt von nirgends.",
  "{{given}} is not a choice of {{input}}.": "{{given}} steht bei {{input}} nicht zur Auswahl.",
  "{{given}} is not among the files for {{input}}.":
    "{{given}} ist nicht unter den Dateien für {{input}}.",
  "{{given}} is not among the files for {{input}}. The nearest: {{names}}.":
    "{{given}} ist nicht unter den Dateien für {{input}}. Am ähnlichsten: {{names}}.",
  "Nothing would be saved or shown: the workflow has no output node.":
    "Nichts würde gespeichert oder gezeigt: Der Workflow hat keinen Ausgabeknoten.",
  "No output can run.": "Keine Ausgabe kann laufen.",
  "There is no node that could run.": "Es gibt keinen Knoten, der laufen könnte.",
  "A node cannot be connected to itself.": "Ein Knoten lässt sich nicht mit sich selbst verbinden.",
  "{{input}} takes {{wanted}}, not {{given}}.": "{{input}} nimmt {{wanted}} an, nicht {{given}}.",
  "The wires would form a cycle.": "Die Verbindungen liefen im Kreis.",
  anything: "alles",
  Untitled: "Unbenannt",
  "Make a subgraph": "Subgraphen anlegen",
  Subgraph: "Subgraph",
  "Unpack the subgraph": "Subgraphen entpacken",
  "Give it a subgraph of its own": "Eigenen Subgraphen geben",
  "Rename the subgraph": "Subgraphen umbenennen",
  "Rename a port": "Anschluss umbenennen",
  "Move a port": "Anschluss verschieben",
  "Remove a port": "Anschluss entfernen",
  "Show a widget on the subgraph": "Widget am Subgraphen zeigen",
  "Hide a widget on the subgraph": "Widget am Subgraphen ausblenden",
  "Reset to the subgraph's value": "Auf den Wert des Subgraphen zurücksetzen",
  "{{name}} was not saved. It is in the list of closed workflows.":
    "{{name}} war nicht gespeichert. Es steht in der Liste der geschlossenen Workflows.",
  "Open it again": "Wieder öffnen",
  "Rename the workflow": "Workflow umbenennen",
  "The graph changed while it was being tidied, so no node was moved.":
    "Der Graph wurde beim Aufräumen geändert, daher wurde kein Knoten verschoben.",
  "Restore a version": "Eine Version wiederherstellen",
  "The earlier version is restored. Undo returns to the current one.":
    "Die frühere Version ist wiederhergestellt. Rückgängig kehrt zur jetzigen zurück.",
  "A part of the editor could not be loaded. Check whether the server is running, then reload the page.":
    "Ein Teil des Editors ließ sich nicht laden. Bitte prüfen, ob der Server läuft, und die Seite neu laden.",
  "Server not reachable": "Server nicht erreichbar",
  "Show it on the subgraph": "Am Subgraphen zeigen",
  "Hide it on the subgraph": "Am Subgraphen ausblenden",
  "{{name}} was not run. {{reason}}": "{{name}} lief nicht. {{reason}}",
  "{{name}} is deleted.": "{{name}} ist gelöscht.",
  "This graph was made from the text in {{name}}.":
    "Dieser Graph entstand aus dem Text in {{name}}.",
  "This graph was made from the text in {{name}}. Left out: {{parts}}.":
    "Dieser Graph entstand aus dem Text in {{name}}. Ausgelassen: {{parts}}.",
  "The image cannot be read. It may have been moved or deleted.":
    "Das Bild ist nicht lesbar. Vielleicht wurde es verschoben oder gelöscht.",
  "There is no image in the clipboard.": "Die Zwischenablage enthält kein Bild.",
  "The graph could not be tidied: {{message}}": "Der Graph ließ sich nicht aufräumen: {{message}}",
  "The workflow {{name}} no longer exists.": "Den Workflow {{name}} gibt es nicht mehr.",
  "The server cannot be reached, so nothing was saved. Your work is kept in this browser.":
    "Der Server ist nicht erreichbar, daher wurde nichts gespeichert. Die Arbeit ist in diesem Browser gesichert.",
  "The edits of {{name}} can no longer be read.":
    "Die Änderungen an {{name}} sind nicht mehr lesbar.",
  "The last edits of {{name}} could not be read.":
    "Die letzten Änderungen an {{name}} waren nicht lesbar.",
  "{{name}} is no longer stored.": "{{name}} ist nicht mehr gespeichert.",
  "This version no longer exists.": "Diese Version gibt es nicht mehr.",
  "There is already a blueprint called {{name}}. Choose another name.":
    "Einen Baustein namens {{name}} gibt es schon. Bitte einen anderen Namen wählen.",
  "There is a workflow called {{name}} already.": "Einen Workflow namens {{name}} gibt es schon.",
  "This result was made without a saved workflow.":
    "Dieses Ergebnis entstand ohne gespeicherten Workflow.",
  "This node has no output that can be shown.":
    "Dieser Knoten hat keinen Ausgang, der sich zeigen lässt.",
  "Add a negative prompt": "Negativen Prompt hinzufügen",
  "{{subject}}, seed {{seed}}": "{{subject}}, Seed {{seed}}",
};
