/** The user's saved workflows, and files from elsewhere. */
import { FileUp, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { openDefault, openFile, openSaved } from "../state/files";
import { client } from "../state/server";
import { tellError, useView } from "../state/view";

export function Workflows() {
  const open = useView((state) => state.workflows);
  return open ? <List /> : null;
}

function close(): void {
  useView.setState({ workflows: false });
}

function List() {
  const [names, setNames] = useState<readonly string[] | null>(null);
  const [typed, setTyped] = useState("");
  const chooser = useRef<HTMLInputElement>(null);
  useEffect(() => {
    client.workflows().then(setNames, (error: unknown) => {
      setNames([]);
      tellError(error);
    });
  }, []);
  const found = (names ?? []).filter((each) => each.toLowerCase().includes(typed.toLowerCase()));
  return (
    <aside className="drawer" aria-label="Workflows">
      <header>
        <h2>Workflows</h2>
        <button type="button" className="ghost" aria-label="Close" onClick={close}>
          <X size={14} aria-hidden />
        </button>
      </header>
      <input
        className="plain"
        aria-label="Search workflows"
        placeholder="Search"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <ul>
        {found.map((each) => (
          <li key={each}>
            <button
              type="button"
              onClick={() => {
                close();
                void openSaved(each);
              }}
            >
              {each.replace(/\.json$/, "")}
            </button>
          </li>
        ))}
      </ul>
      {names !== null && names.length === 0 && (
        <p className="quiet">What you save with Ctrl+S appears here.</p>
      )}
      <footer>
        <button
          type="button"
          onClick={() => {
            close();
            openDefault();
          }}
        >
          Open the first example
        </button>
        <button type="button" onClick={() => chooser.current?.click()}>
          <FileUp size={13} aria-hidden /> Open a file
        </button>
        <input
          ref={chooser}
          type="file"
          accept=".json,image/png"
          hidden
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file !== undefined) void openFile(file, { x: 0, y: 0 });
            close();
          }}
        />
      </footer>
    </aside>
  );
}
