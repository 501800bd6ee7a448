/** What this program is: its version, that of Python, the devices, and the licences. */
import { useEffect, useState } from "react";
import { routeUrl } from "../api/address";
import { client } from "../state/session/server";
import { notifyError, openSheet } from "../state/session/view";
import { bytesOf } from "../words/format";
import { t } from "../words/words";
import { Dialog } from "./Dialog";

type Machine = Awaited<ReturnType<typeof client.machine>>;

export function About() {
  const [machine, setMachine] = useState<Machine | null>(null);
  useEffect(() => {
    client.machine().then(setMachine, notifyError);
  }, []);
  const { system, devices = [] } = machine ?? {};
  return (
    <Dialog title={t("About Calotype")} width="narrow" onClose={() => openSheet(null)}>
      <p>{t("A studio for images from latent diffusion models.")}</p>
      <p>
        {t("Version {{version}}, Python {{python}}", {
          version: system?.calotype_version ?? "…",
          python: String(system?.python_version ?? "…").split(" ")[0] ?? "",
        })}
      </p>
      {devices.map(({ name, vram_total: total }) => (
        <p key={name}>
          {name} · {bytesOf(total)}
        </p>
      ))}
      <p>
        <a href={routeUrl("/licences.txt")} target="_blank" rel="noreferrer">
          {t("Licences of the libraries")}
        </a>
      </p>
    </Dialog>
  );
}
