/**
 * Asks before results are removed: the entries only, or the files as well. Both can be undone for a
 * while.
 */
import { removeJobs, useHistory } from "../state/outcomes/history";
import { t } from "../words/words";
import { Dialog } from "./Dialog";

export function ForgetDialog() {
  const asking = useHistory((state) => state.asking);
  if (asking === null || asking.length === 0) return null;
  const close = () => useHistory.setState({ asking: null });
  const go = (files: boolean) => {
    close();
    removeJobs(asking, files);
  };
  return (
    <Dialog
      title={t("Remove {{count}} results?", { count: asking.length })}
      width="narrow"
      onClose={close}
      actions={
        <>
          <button type="button" className="plain-button" onClick={close}>
            {t("Cancel")}
          </button>
          <button type="button" className="plain-button danger" onClick={() => go(true)}>
            {t("Remove and delete the files")}
          </button>
          <button type="button" className="primary" onClick={() => go(false)}>
            {t("Remove")}
          </button>
        </>
      }
    >
      <p>
        {t(
          "Remove takes the results out of the history; their files stay in the output folder unless you delete them, too. Both can be undone for some seconds.",
        )}
      </p>
    </Dialog>
  );
}
